package h2

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// serveH2 serves a handler on a port, in the clear.
func serveH2(t testing.TB, handler http.Handler, config Config) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	group := &Group{}
	bridge := &Bridge{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	config.Accept = bridge.Accept
	var serving sync.WaitGroup
	var mu sync.Mutex
	var all []*Session
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s := group.Server(conn, config)
			mu.Lock()
			all = append(all, s)
			mu.Unlock()
			serving.Go(func() { s.Serve() })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, s := range all {
			s.Close()
		}
		mu.Unlock()
		serving.Wait()
		bridge.Wait()
	})
	return ln.Addr().String()
}

// goClient speaks HTTP/2 in the clear by net/http.
func goClient(t testing.TB) *http.Client {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// goServer speaks HTTP/2 over TLS by net/http.
func goServer(t testing.TB, handler http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// dialH2 is a client session to a server over TLS.
func dialH2(t testing.TB, server *httptest.Server) *Session {
	t.Helper()
	conf := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	conf.NextProtos, conf.DynamicRecordSizingDisabled = []string{"h2"}, true
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), conf)
	if err != nil {
		t.Fatal(err)
	}
	s := new(Group).Client(conn, Config{})
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() { s.Close(); <-served })
	<-s.Settled()
	return s
}

func echo(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	w.Header().Set("Trailer", "X-Sum")
	sum := sha256.New()
	buffer := make([]byte, 10_000)
	control.Flush()
	for {
		n, err := r.Body.Read(buffer)
		sum.Write(buffer[:n])
		w.Write(buffer[:n])
		control.Flush()
		if err != nil {
			break
		}
	}
	w.Header().Set("X-Sum", fmt.Sprintf("%x %s", sum.Sum(nil), r.Trailer.Get("X-Up")))
}

// pieces is a body that comes in pieces of all sizes.
type pieces struct {
	rest []byte
	rand *rand.Rand
}

func (p *pieces) Read(out []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(out, p.rest[:min(len(p.rest), 1+p.rand.IntN(40_000))])
	p.rest = p.rest[n:]
	return n, nil
}

// exchange sends bodies of a size by each client, and compares what comes back.
func exchange(t *testing.T, do func(*http.Request) (*http.Response, error), url string) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var all sync.WaitGroup
	for _, size := range []int{0, 1, 1000, 16384, 65535, 65536, 1 << 20, 5 << 20} {
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(random.Uint32())
		}
		seed := random.Uint64()
		all.Go(func() {
			r, _ := http.NewRequest("POST", url, &pieces{body, rand.New(rand.NewPCG(seed, 1))})
			r.Trailer = http.Header{"X-Up": {"up"}}
			resp, err := do(r)
			if err != nil {
				t.Errorf("%d bytes: %v", size, err)
				return
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if want := fmt.Sprintf("%x up", sha256.Sum256(body)); err != nil || !bytes.Equal(got, body) || resp.Trailer.Get("X-Sum") != want {
				t.Errorf("%d bytes: %d came back, %v, trailer %v", size, len(got), err, resp.Trailer)
			}
		})
	}
	all.Wait()
}

func TestServerWithGosClient(t *testing.T) {
	addr := serveH2(t, http.HandlerFunc(echo), Config{})
	exchange(t, goClient(t).Do, "http://"+addr)
}

func TestClientWithGosServer(t *testing.T) {
	server := goServer(t, http.HandlerFunc(echo))
	exchange(t, dialH2(t, server).RoundTrip, server.URL)
}

func TestClientWithOurServer(t *testing.T) {
	addr := serveH2(t, http.HandlerFunc(echo), Config{})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := new(Group).Client(conn, Config{})
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	exchange(t, s.RoundTrip, "http://"+addr)
	s.Close()
	<-served
}

func TestInterimAnswersAndHeads(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		switch r.URL.Path {
		case "/304":
			w.Header().Set("Content-Length", "77")
			w.WriteHeader(http.StatusNotModified)
		case "/head":
			w.Header().Set("Content-Length", "5")
		case "/text":
			io.WriteString(w, "hello")
		}
	})
	check := func(t *testing.T, do func(*http.Request) (*http.Response, error), url string) {
		for _, c := range []struct {
			method, path string
			status       int
			length       int64
		}{{"GET", "/304", 304, 77}, {"HEAD", "/head", 200, 5}, {"GET", "/text", 200, 5}, {"GET", "/", 200, 0}} {
			hints := 0
			r, _ := http.NewRequest(c.method, url+c.path, nil)
			r = r.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, h textproto.MIMEHeader) error { hints += code; return nil },
			}))
			resp, err := do(r)
			if err != nil {
				t.Errorf("%s: %v", c.path, err)
				continue
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != c.status || resp.ContentLength != c.length || hints != 103 || err != nil || c.path == "/text" && string(body) != "hello" {
				t.Errorf("%s %s: %s, length %d, hints %d, %q, %v", c.method, c.path, resp.Status, resp.ContentLength, hints, body, err)
			}
		}
	}
	server := goServer(t, handler)
	check(t, dialH2(t, server).RoundTrip, server.URL)
	addr := serveH2(t, handler, Config{})
	conn, _ := net.Dial("tcp", addr)
	s := new(Group).Client(conn, Config{})
	go s.Serve()
	defer s.Close()
	check(t, s.RoundTrip, "http://"+addr)
}

// A client that gives up, a handler that gives up: each side hears the code.
func TestResetsPass(t *testing.T) {
	canceled := make(chan error, 1)
	addr := serveH2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		if r.URL.Path == "/abort" {
			SetResetCode(w, EnhanceYourCalm)
			panic(http.ErrAbortHandler)
		}
		<-r.Context().Done()
		_, err := r.Body.Read(make([]byte, 1))
		canceled <- err
	}), Config{})
	conn, _ := net.Dial("tcp", addr)
	s := new(Group).Client(conn, Config{})
	go s.Serve()
	defer s.Close()
	r, _ := http.NewRequest("GET", "http://"+addr+"/abort", nil)
	resp, err := s.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	var reset *ResetError
	if _, err := io.ReadAll(resp.Body); !errors.As(err, &reset) || reset.Code != EnhanceYourCalm {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	body, hold := io.Pipe()
	defer hold.Close()
	r, _ = http.NewRequestWithContext(ctx, "POST", "http://"+addr+"/wait", body)
	if resp, err = s.RoundTrip(r); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := <-canceled; !errors.As(err, &reset) || reset.Code != Cancel {
		t.Errorf("the handler got %v", err)
	}
}

// h2spec judges the server, also what it does with pieces that break the rules.
func TestH2Spec(t *testing.T) {
	h2spec := testkit.H2spec(t)
	addr := serveH2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "300")
		w.Write(bytes.Repeat([]byte("x"), 300))
	}), Config{})
	_, port, _ := net.SplitHostPort(addr)
	out, err := exec.Command(h2spec, "-S", "-h", "127.0.0.1", "-p", port, "-o", "2").CombinedOutput()
	if err != nil {
		i := strings.Index(string(out), "Failures:")
		t.Errorf("%v\n%s", err, out[max(0, i):])
	}
	t.Log(string(out[max(0, len(out)-200):]))
}

func TestGracefulShutdown(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	server := goServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
	}))
	s := dialH2(t, server)
	answered := make(chan error, 1)
	r, _ := http.NewRequest("GET", server.URL, nil)
	go func() {
		resp, err := s.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
		answered <- err
	}()
	<-entered
	s.Shutdown()
	if _, err := s.RoundTrip(r.Clone(t.Context())); !errors.Is(err, ErrGone) {
		t.Errorf("%v", err)
	}
	close(release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	select {
	case <-s.Done():
	case <-time.After(10 * time.Second):
		t.Error("the connection goes on")
	}
}
