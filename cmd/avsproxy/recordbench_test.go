package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/config"
	"avsproxy/proxy"
	"avsproxy/tokens"
)

// BenchmarkCapture sends the same requests through two lines that differ by capture
// alone, 64 at a time and in turn, so that a busy moment of the machine strikes both.
// "on-of-off" is the throughput with capture relative to that without: at least 0.95 is
// promised.
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
			lines := []string{captureLine(b, false), captureLine(b, true)}
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
			b.Cleanup(client.CloseIdleConnections)
			turn := max(64, 1024>>(c.body>>15))
			var took, worked [2][]time.Duration
			for b.Loop() {
				for i, line := range lines {
					began, before := time.Now(), processorTime(b)
					burst(b, client, line, payload, turn)
					took[i] = append(took[i], time.Since(began))
					worked[i] = append(worked[i], processorTime(b)-before)
				}
			}
			b.StopTimer()
			off, on := quantile(took[0], 0.5), quantile(took[1], 0.5)
			b.ReportMetric(float64(off)/float64(on), "on-of-off")
			b.ReportMetric(float64(quantile(worked[0], 0.5))/float64(quantile(worked[1], 0.5)), "cpu-on-of-off")
			b.ReportMetric(float64(turn)/on.Seconds(), "req/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// processorTime is what this process, client and upstream included, has used of all
// processors.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// captureLine is a route as the program joins it, without what does not depend on
// capture.
func captureLine(b *testing.B, on bool) string {
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.Copy(w, r.Body)
		io.WriteString(w, `{"answer":"hello"}`)
	}))
	upstream.EnableHTTP2 = true
	upstream.StartTLS()
	b.Cleanup(upstream.Close)
	origin, _ := url.Parse(upstream.URL)
	source := &tokens.Source{Name: "fixed", Store: &tokens.MemoryStore{}, Start: func() (tokens.Grant, error) {
		return tokens.Grant{Access: "canary-0123456789-abcdefghijklmnop"}, nil
	}}
	p := &program{credentials: []*credential{{source: source}}}
	p.conf = &config.Config{Capture: config.Capture{Enabled: on}}
	send := proxy.NewUpstream(proxy.UpstreamOptions{Origin: origin, Roots: rootsOf(upstream)})
	b.Cleanup(send.Close)
	began := func(string) func(proxy.Exchange) { return func(proxy.Exchange) {} }
	handler := p.observe(watcher{began: began, record: newScribe(p.conf.Capture, p.secrets).begin}, "api", proxy.Forward(proxy.ForwardOptions{
		Origin: origin, Send: &proxy.Injector{Next: send, Origin: origin, Source: source},
	}))
	server := newServer(proxy.Arrived(handler), quiet())
	ln := httptest.NewUnstartedServer(nil).Listener
	serveOn(server, []net.Listener{ln}, &tls.Config{})
	b.Cleanup(func() { server.Close() })
	return "http://" + ln.Addr().String()
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
