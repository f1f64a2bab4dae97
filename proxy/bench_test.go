package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
)

// Each benchmark sends the same requests through this package's whole line and
// through a bare httputil.ReverseProxy over the same kind of transport, in turn, to
// the same upstream in this process. "x-of-bare" is the throughput, or the median
// speed of one request, relative to the bare proxy's: at least 0.9 is promised.

// contenders starts both proxies.
func contenders(b *testing.B) (ours, bare string) {
	origin, roots := upstreamTLS(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write([]byte("hello"))
	}))
	options := upstream.Options{SingleConnection: true, PingInterval: 4 * time.Minute}
	l := build(b, origin, roots, plan{source: static(), options: options})
	return l.url, bareProxy(b, origin, roots)
}

func bareProxy(b *testing.B, origin string, roots *x509.CertPool) string {
	target, _ := url.Parse(origin)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, Protocols: &protocols, DisableCompression: true,
		HTTP2: &http.HTTP2Config{SendPingTimeout: 4 * time.Minute},
	}
	b.Cleanup(transport.CloseIdleConnections)
	l := &line{upstream: upstream.New(upstream.Options{Origin: target}), standard: true}
	l.serve(b, nil, &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Header.Set("Authorization", "Bearer "+canary) },
		Transport:     transport,
		FlushInterval: -1,
	})
	return l.url
}

var benchmarks = []struct {
	name   string
	client func(testing.TB) *http.Client
	method string
	body   int
}{
	{"GET/HTTP1", h1Client, "GET", 0},
	{"GET/h2c", h2cClient, "GET", 0},
	{"POST64KiB/HTTP1", h1Client, "POST", 64 << 10},
	{"POST64KiB/h2c", h2cClient, "POST", 64 << 10},
}

// BenchmarkOneAtATime has one request in flight: what is added to its latency.
func BenchmarkOneAtATime(b *testing.B) {
	for _, c := range benchmarks {
		b.Run(c.name, func(b *testing.B) {
			client := c.client(b)
			payload := make([]byte, c.body)
			ours, bare := contenders(b)
			askOnce(b, client, c.method, ours, payload)
			askOnce(b, client, c.method, bare, payload)
			var took [2][]time.Duration
			for b.Loop() {
				for i, proxy := range []string{ours, bare} {
					began := time.Now()
					askOnce(b, client, c.method, proxy, payload)
					took[i] = append(took[i], time.Since(began))
				}
			}
			b.StopTimer()
			report(b, median(took[0]), median(took[1]))
			b.ReportMetric(float64(median(took[0])-median(took[1]))/1e3, "added-us")
			b.ReportMetric(allocs(func() { askOnce(b, client, c.method, ours, payload) })-
				allocs(func() { askOnce(b, client, c.method, bare, payload) }), "added-allocs")
		})
	}
}

// BenchmarkParallel has 64 requests in flight.
func BenchmarkParallel(b *testing.B) {
	const callers, turn = 64, 512
	for _, c := range benchmarks {
		b.Run(c.name, func(b *testing.B) {
			client := c.client(b)
			payload := make([]byte, c.body)
			ours, bare := contenders(b)
			var took [2][]time.Duration
			for b.Loop() { // a turn of each
				for i, proxy := range []string{ours, bare} {
					began := time.Now()
					var all sync.WaitGroup
					for range callers {
						all.Go(func() {
							for range turn / callers {
								askOnce(b, client, c.method, proxy, payload)
							}
						})
					}
					all.Wait()
					took[i] = append(took[i], time.Since(began))
				}
			}
			b.StopTimer()
			report(b, median(took[0]), median(took[1]))
			b.ReportMetric(turn/median(took[0]).Seconds(), "req/s")
		})
	}
}

// BenchmarkLateness tells how long a part of a downchannel takes from the upstream to the client,
// in milliseconds at the 99th percentile: one part in each millisecond.
func BenchmarkLateness(b *testing.B) {
	for name, client := range map[string]func(testing.TB) *http.Client{"HTTP1": h1Client, "h2c": h2cClient} {
		b.Run(name, func(b *testing.B) {
			parts := max(b.N, 2)
			origin, roots := upstreamTLS(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for range parts {
					time.Sleep(time.Millisecond)
					binary.Write(w, binary.BigEndian, time.Now().UnixNano())
					http.NewResponseController(w).Flush()
				}
			}))
			l := build(b, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
			resp := testkit.Must(client(b).Get(l.url))(b)
			defer resp.Body.Close()
			var late []time.Duration
			for range parts {
				var sent int64
				testkit.NoError(b, binary.Read(resp.Body, binary.BigEndian, &sent))
				late = append(late, time.Since(time.Unix(0, sent)))
			}
			slices.Sort(late)
			b.ReportMetric(float64(late[len(late)*99/100].Microseconds())/1e3, "p99-ms")
			b.ReportMetric(float64(late[len(late)/2].Microseconds())/1e3, "p50-ms")
		})
	}
}

func report(b *testing.B, ours, bare time.Duration) {
	b.ReportMetric(float64(bare)/float64(ours), "x-of-bare")
}

func askOnce(b *testing.B, client *http.Client, method, url string, payload []byte) {
	r := testkit.Must(http.NewRequest(method, url+"/v20160207/events", bytes.NewReader(payload)))(b)
	resp, err := client.Do(r)
	if err != nil {
		b.Error(err)
		return
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.Error(resp.Status)
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// allocs counts a request's allocations in the whole process: client, proxy and
// upstream. The two last are the same for both proxies.
func allocs(f func()) float64 {
	const runs = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / runs
}
