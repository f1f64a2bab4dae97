package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
)

func TestPromise5_FiftyColdCallersShareOneConnection(t *testing.T) {
	over(t, func(t *testing.T, client *http.Client) {
		var open atomic.Int64
		l, s := toSandbox(t, sandbox.Options{}, plan{options: upstream.Options{Connections: func(delta int) { open.Add(int64(delta)) }}})
		together(t, 50, func(int) { wantPing(t, client, l) })
		together(t, 50, func(int) { wantPing(t, client, l) })
		if now, total := s.Connections(); now != 1 || total != 1 || open.Load() != 1 {
			t.Fatalf("%d connections, %d ever, %d counted", now, total, open.Load())
		}
		l.upstream.Close()
		testkit.Eventually(t, "the end of the connection", func() bool { now, _ := s.Connections(); return now == 0 && open.Load() == 0 })
	})
}

// Callers beyond the stream limit wait for a stream, also those that left before
// the limit was known.
func TestPromise5_StreamLimitMakesNoSecondConnection(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{MaxConcurrentStreams: 4}, plan{})
	for range 3 {
		together(t, 50, func(int) { wantPing(t, h2cClient(t), l) })
	}
	if _, total := s.Connections(); total != 1 {
		t.Fatalf("%d connections", total)
	}
}

func wantPing(t *testing.T, client *http.Client, l *line) {
	resp, err := client.Do(request(t, "GET", l.url+"/ping", nil))
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		body, _ := io.ReadAll(resp.Body)
		t.Errorf("%s %s", resp.Status, body)
	}
}

func together(t *testing.T, n int, f func(i int)) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

func TestHTTP1UpstreamIsNotBlockedByADownchannel(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{HTTP1: true}, plan{})
	for range 3 {
		resp := testkit.Must(h1Client(t).Do(request(t, "GET", l.url+"/v20160207/directives", nil)))(t)
		defer resp.Body.Close()
	}
	together(t, 20, func(int) { wantPing(t, h2cClient(t), l) })
	for _, a := range s.Ledger() {
		if a.Proto != "HTTP/1.1" {
			t.Fatalf("%s", a.Proto)
		}
	}
	l.upstream.Close() // ends what is under way, too
	testkit.Eventually(t, "the end of all connections", func() bool { now, _ := s.Connections(); return now == 0 })
}

// An upstream that takes up HTTP/2 later is spoken to over one connection again.
func TestUpstreamThatLearnsHTTP2(t *testing.T) {
	var h2 atomic.Bool
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 {
			w.Header().Set("Connection", "close")
		}
		io.WriteString(w, r.Proto)
	}), func(server *httptest.Server) {
		server.TLS = &tls.Config{}
		server.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			conf := server.TLS.Clone()
			conf.NextProtos = []string{"http/1.1"}
			if h2.Load() {
				conf.NextProtos = []string{"h2", "http/1.1"}
			}
			return conf, nil
		}
	})
	l := build(t, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
	if a := get(t, h1Client(t), l.url); string(a.body) != "HTTP/1.1" {
		t.Fatalf("%s", a.body)
	}
	h2.Store(true)
	for range 3 {
		if a := get(t, h1Client(t), l.url); string(a.body) != "HTTP/2.0" {
			t.Fatalf("%s", a.body)
		}
	}
}

// GOAWAY with an open stream: new requests go to a new connection, the old stream
// lives on, and the old connection ends with it.
func TestPromise5_GoAwayIsTakenGracefully(t *testing.T) {
	var conns counter
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/goaway" {
			w.Header().Set("Connection", "close") // Go's HTTP/2 server says GOAWAY for that
			return
		}
		if r.URL.Path == "/downchannel" {
			control := http.NewResponseController(w)
			control.EnableFullDuplex()
			control.Flush()
			copyFlushed(w, r.Body)
			return
		}
		io.WriteString(w, r.RemoteAddr)
	}), conns.watch)
	l := build(t, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
	client := h2cClient(t)

	first := string(get(t, client, l.url).body)
	upload, send := io.Pipe()
	old := testkit.Must(client.Do(request(t, "POST", l.url+"/downchannel", upload)))(t)
	defer old.Body.Close()
	get(t, client, l.url+"/goaway")

	var second string
	testkit.Eventually(t, "a new connection", func() bool { second = string(get(t, client, l.url).body); return second != first })
	together(t, 50, func(int) {
		if got := string(get(t, client, l.url).body); got != second {
			t.Errorf("%s instead of %s", got, second)
		}
	})
	for range 3 {
		io.WriteString(send, "ping")
		pong := make([]byte, 4)
		if _, err := io.ReadFull(old.Body, pong); err != nil || string(pong) != "ping" {
			t.Fatalf("the old stream: %q, %v", pong, err)
		}
	}
	if n := conns.open(); n != 2 {
		t.Errorf("%d connections", n)
	}
	send.Close()
	io.Copy(io.Discard, old.Body)
	testkit.Eventually(t, "the old connection to end", func() bool { return conns.open() == 1 })
	if got := string(get(t, client, l.url).body); got != second {
		t.Errorf("a third connection: %s", got)
	}
}

func TestManyGoAwaysLeakNothing(t *testing.T) {
	var conns counter
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
	}), conns.watch)
	l := build(t, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
	for range 30 {
		if a := get(t, h1Client(t), l.url); a.StatusCode != 200 {
			t.Fatalf("%s %s", a.Status, a.body)
		}
	}
	testkit.Eventually(t, "the connections to end", func() bool { return conns.open() <= 1 })
	get(t, h1Client(t), l.url)
}

func copyFlushed(w http.ResponseWriter, r io.Reader) {
	buffer := make([]byte, 1024)
	for {
		n, err := r.Read(buffer)
		w.Write(buffer[:n])
		http.NewResponseController(w).Flush()
		if err != nil {
			return
		}
	}
}

// A counter counts a server's connections.
type counter struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

func (c *counter) watch(server *httptest.Server) {
	c.conns = map[net.Conn]bool{}
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conns[conn] = true
		if state == http.StateClosed || state == http.StateHijacked {
			delete(c.conns, conn)
		}
	}
}

func (c *counter) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conns)
}

// The connection closes right after each handshake: one dial for each request,
// never a loop of them.
func TestConnectionThatDiesAtOnceFailsItsRequest(t *testing.T) {
	var conns atomic.Int64
	addr, roots := rawTLS(t, []string{"h2"}, func(conn net.Conn) { conns.Add(1) })
	l := build(t, "https://"+addr, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
	for range 5 {
		if a := get(t, h1Client(t), l.url); a.StatusCode != 502 {
			t.Fatal(a.Status)
		}
	}
	if n := conns.Load(); n > 5*sendTries {
		t.Errorf("%d dials for 5 requests", n)
	}
}

// A stream the upstream refused (RFC 9113 section 8.7) is tried again on the same
// connection; one it has begun is not.
func TestRefusedStreams(t *testing.T) {
	for _, c := range []struct {
		code     http2.ErrCode
		body     string
		attempts int
		status   int
	}{
		{http2.ErrCodeRefusedStream, "", 2, 200},
		{http2.ErrCodeInternal, "", 1, 502},
		{http2.ErrCodeRefusedStream, "body", 2, 200},                                   // it is kept
		{http2.ErrCodeRefusedStream, strings.Repeat("body", keptMost/4) + "+", 1, 502}, // too much of it was read
	} {
		var attempts, conns atomic.Int64
		addr, roots := rawTLS(t, []string{"h2"}, func(conn net.Conn) {
			conns.Add(1)
			testkit.ServeFrames(conn, func(framer *http2.Framer, stream uint32) {
				if attempts.Add(1) == 1 {
					time.Sleep(20 * time.Millisecond) // let the body come
					framer.WriteRSTStream(stream, c.code)
					return
				}
				framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x88}, EndHeaders: true, EndStream: true}) // ":status: 200"
			})
		})
		l := build(t, "https://"+addr, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
		a := do(t, h1Client(t), request(t, "POST", l.url, strings.NewReader(c.body)))
		if a.StatusCode != c.status || attempts.Load() != int64(c.attempts) || conns.Load() != 1 {
			t.Errorf("%v: %s after %d attempts on %d connections: %s", c, a.Status, attempts.Load(), conns.Load(), a.body)
		}
	}
}

// Without the rule of one connection there are as many as the streams need.
func TestConnectionsGrowWithRequests(t *testing.T) {
	const at = 7
	var conns counter
	arrived := make(chan struct{}, at)
	release := make(chan struct{})
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
	}), conns.watch, func(server *httptest.Server) {
		server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 2}
	})
	l := build(t, origin, roots, plan{source: static()})
	client := h2cClient(t)
	var all sync.WaitGroup
	for range at {
		all.Go(func() {
			if a := get(t, client, l.url); a.StatusCode != 200 {
				t.Error(a.Status)
			}
		})
	}
	for range at {
		<-arrived
	}
	if n := conns.open(); n < at/2 {
		t.Errorf("%d connections", n)
	}
	close(release)
	all.Wait()
}
