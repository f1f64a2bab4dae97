package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

// BenchmarkCapture sends the same requests through two proxies that differ by capture
// alone, 64 at a time and in turn, so that a busy moment of the machine strikes both.
// Answers are as long as their requests. "on-of-off" is the throughput with capture
// relative to that without, with client and upstream in the same process.
//
//	go test ./cmd/avsproxy -run '^$' -bench Capture -benchtime 60x
func BenchmarkCapture(b *testing.B) {
	for _, c := range []struct {
		name string
		body int
	}{{"GET", 0}, {"POST64KiB", 64 << 10}, {"POST1MiB", 1 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			payload := make([]byte, c.body)
			for i := range payload {
				payload[i] = byte(i*i>>3) | 1
			}
			config := firstByteConfig(b, mirrorUpstream(b))
			lines := []string{startProxy(b, config+"[capture]\nenabled = false\n").Proxy[0], startProxy(b, config).Proxy[0]}
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
			b.Cleanup(client.CloseIdleConnections)
			turn := max(64, 1024>>(c.body>>15))
			for _, line := range lines {
				burst(b, client, line, payload, (32<<20)/(1<<10+2*c.body)) // until the oldest make room
			}
			var took [2][]time.Duration
			for b.Loop() {
				for i, line := range lines {
					began := time.Now()
					burst(b, client, line, payload, turn)
					took[i] = append(took[i], time.Since(began))
				}
			}
			b.StopTimer()
			off, on := quantile(took[0], 0.5), quantile(took[1], 0.5)
			b.ReportMetric(float64(off)/float64(on), "on-of-off")
			b.ReportMetric(float64(turn)/on.Seconds(), "req/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func mirrorUpstream(b *testing.B) *httptest.Server {
	upstream := testkit.TLSServer(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.Copy(w, r.Body)
		io.WriteString(w, `{"answer":"hello"}`)
	}))
	return upstream
}

func burst(b *testing.B, client *http.Client, address string, payload []byte, n int) {
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range n / 64 {
				resp, err := client.Post(address+"/v20160207/events", "application/octet-stream", bytes.NewReader(payload))
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	all.Wait()
}
