package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/certs"
	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/httpserver"
	"avsproxy/internal/listen"
	"avsproxy/internal/testkit"
	"avsproxy/internal/tunnel"
	"avsproxy/internal/upstream"
)

// A forwardLine is a proxy that takes CONNECT, joined as the program joins it.
type forwardLine struct {
	line
	roots    *certs.Authority
	server   *httpserver.Server
	inbox    *tunnel.ConnQueue
	tunnels  *tunnel.Group
	dialer   *tunnel.Dialer
	others   notebook // of what goes to other hosts
	upstream struct {
		mu  sync.Mutex
		got []*http.Request
	}
}

const clientKey = "sesame"

// forwarding starts a proxy whose one route has the host avs.example and an upstream
// of the test's own. keyed makes it ask for a client key.
func forwarding(t *testing.T, others string, keyed bool) *forwardLine {
	t.Helper()
	f := &forwardLine{inbox: tunnel.NewConnQueue(), tunnels: &tunnel.Group{}, dialer: &tunnel.Dialer{Loopback: true}}
	origin, roots := upstreamTLS(t, http.HandlerFunc(f.answer))
	target, err := url.Parse(origin)
	testkit.NoError(t, err)
	if f.roots, err = certs.New("test", "avs.example", "other.example"); err != nil {
		t.Fatal(err)
	}
	f.line.upstream = upstream.New(upstream.Options{Origin: target, Roots: roots, Group: &f.line.group})
	table := &gate.Table{}
	testkit.NoError(t, table.Add("avs", "avs.example", "listed.example:8443"))
	rules := gate.Rules{Host: table.Knows, Names: table.Names(), Others: others == "tunnel"}
	if keyed {
		rules.KeySum = gate.KeySum(clientKey)
	}
	quiet := log.New(&f.line, "", 0)
	f.route = routeTo(f.line.upstream, Credential{Source: static()})
	f.route.Name, f.route.ErrorLog = "avs", quiet
	elsewhere := NewUnrouted(UnroutedOptions{Dial: f.dialer.Dial, Tunnels: f.tunnels, ErrorLog: quiet})
	t.Cleanup(elsewhere.Close)
	f.listen(t, &Handler{
		Rules: rules, Table: table, Routes: []*Route{f.route.Start()}, Unrouted: elsewhere,
		Intercept: tunnel.Intercept(f.inbox, func(conn net.Conn) (net.Conn, bool) { return conn, true }),
		Observer:  Observer{Record: f.record, DecisionHeader: true, Ended: f.noteEnd},
	})
	return f
}

// record takes down what goes to other hosts.
func (f *forwardLine) record(x *exchange.Exchange) exchange.Recorder {
	if x.Facts().Route != "" {
		return nil
	}
	return f.others.record(x)
}

// answer tells the client what arrived, but for the token.
func (f *forwardLine) answer(w http.ResponseWriter, r *http.Request) {
	f.upstream.mu.Lock()
	f.upstream.got = append(f.upstream.got, r)
	f.upstream.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	with := "without a token"
	if r.Header.Get("Authorization") == "Bearer "+canary {
		with = "with the token"
	}
	io.WriteString(w, r.Method+" "+r.URL.Path+" "+with+" "+string(body))
}

// reached is how many requests the upstream saw.
func (f *forwardLine) reached() int {
	f.upstream.mu.Lock()
	defer f.upstream.mu.Unlock()
	return len(f.upstream.got)
}

func (f *forwardLine) listen(t *testing.T, handler http.Handler) {
	t.Helper()
	ln := testkit.Listen(t)
	f.addr, f.url = ln.Addr().String(), "http://"+ln.Addr().String()
	f.dialer.Own = func() []net.Addr { return []net.Addr{ln.Addr()} }
	f.server = f.line.newServer(handler)
	var serving sync.WaitGroup
	conf := tunnel.ByTarget(f.roots.ServerConfig())
	for _, ln := range []net.Listener{ln, f.inbox} {
		serving.Go(func() { f.server.Serve(listen.Sniff(ln, conf, testkit.Timeout)) })
	}
	t.Cleanup(func() {
		f.server.Close()
		cut, cancel := context.WithCancel(context.Background())
		cancel()
		f.tunnels.Drain(cut)
		f.line.upstream.Close()
		serving.Wait()
	})
}

// curl runs the real one through the proxy and returns what it printed.
func (f *forwardLine) curl(t *testing.T, args ...string) string {
	t.Helper()
	testkit.NeedTool(t, "curl")
	ca := testkit.File(t, "ca.pem", f.roots.RootPEM())
	args = append([]string{"-sS", "-q", "--max-time", "20", "-x", f.url, "--cacert", ca}, args...)
	cmd := exec.Command("curl", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // no_proxy would turn the test into another one
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = append(out, "\n"+err.Error()...)
	}
	return string(out)
}

// A dialer opens a CONNECT and returns its inside, or the proxy's refusal.
type connector func(t *testing.T, f *forwardLine, target string) (net.Conn, *http.Response)

// connectors are the protocols in which clients send CONNECT.
var connectors = map[string]connector{"HTTP1": connect1, "HTTP2": connect2}

func eachConnect(t *testing.T, test func(t *testing.T, connect connector)) {
	for name, connect := range connectors {
		t.Run(name, func(t *testing.T) { test(t, connect) })
	}
}

func connect1(t *testing.T, f *forwardLine, target string) (net.Conn, *http.Response) {
	t.Helper()
	conn := testkit.Dial(t, f.addr)
	io.WriteString(conn, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n")
	return conn, connectHead(t, conn)
}

// readHead reads an answer's head byte by byte: what follows belongs to others.
func connectHead(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	var head strings.Builder
	for b := make([]byte, 1); !strings.HasSuffix(head.String(), "\r\n\r\n"); head.Write(b) {
		if _, err := io.ReadFull(conn, b); err != nil {
			t.Fatalf("%v after %q", err, head.String())
		}
	}
	return parseHead(t, head.String(), conn)
}

// connect2 opens a stream of an HTTP/2 connection of its own.
func connect2(t *testing.T, f *forwardLine, target string) (net.Conn, *http.Response) {
	t.Helper()
	client := h2cClient(t)
	up, feed := io.Pipe()
	r := (&http.Request{Method: "CONNECT", URL: &url.URL{Scheme: "http", Host: f.addr}, Host: target, Header: http.Header{}, Body: up}).WithContext(testkit.Context(t))
	resp := testkit.Must(client.Do(r))(t)
	t.Cleanup(func() { resp.Body.Close() })
	return &clientStream{feed, resp.Body}, resp
}

// A clientStream is the client's side of an HTTP/2 CONNECT.
type clientStream struct {
	*io.PipeWriter
	body io.ReadCloser
}

// Read hides the errors of the stream: an HTTP/2 client inside would take them for
// its own streams', and read on for ever.
func (c *clientStream) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	if err != nil && err != io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
func (c *clientStream) CloseWrite() error { return c.PipeWriter.Close() }
func (c *clientStream) Close() error {
	c.PipeWriter.Close()
	return c.body.Close()
}
func (c *clientStream) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *clientStream) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *clientStream) SetDeadline(time.Time) error      { return nil }
func (c *clientStream) SetReadDeadline(time.Time) error  { return nil }
func (c *clientStream) SetWriteDeadline(time.Time) error { return nil }

// inside speaks HTTP to what is at the other end of conn: "http/1.1" or "h2" over
// TLS, or "clear" HTTP/1.1, or "h2c".
func inside(t *testing.T, conn net.Conn, proto, sni string, roots *x509.CertPool) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: &http.Protocols{}, DisableCompression: true}
	used := false
	once := func(context.Context, string, string) (net.Conn, error) {
		if used {
			return nil, io.ErrClosedPipe
		}
		used = true
		if proto == "clear" || proto == "h2c" {
			return conn, nil
		}
		secure := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: sni, NextProtos: []string{proto}})
		return secure, secure.Handshake()
	}
	transport.DialContext, transport.DialTLSContext = once, once
	transport.Protocols.SetHTTP1(proto == "http/1.1" || proto == "clear")
	transport.Protocols.SetHTTP2(proto == "h2")
	transport.Protocols.SetUnencryptedHTTP2(proto == "h2c")
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
