package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/problem"
	"avsproxy/internal/tunnel"
)

func parseHead(t *testing.T, head string, body io.Reader) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader(head), body)), &http.Request{Method: "CONNECT"})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// refusalOf checks that a CONNECT was refused with code and returns the problem.
func refusalOf(t *testing.T, resp *http.Response, code problem.Code) told {
	t.Helper()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, resp.ContentLength))
	return problemOf(t, answer{resp, body}, code)
}

func TestCurlThroughTheProxyGetsTheToken(t *testing.T) {
	f := forwarding(t, "reject", false)
	for _, args := range [][]string{
		{"https://avs.example/a"}, {"--http1.1", "https://avs.example/a"}, {"--http2", "https://avs.example/a"},
		{"-p", "http://avs.example/a"}, {"-p", "--http2-prior-knowledge", "http://avs.example/a"}, {"-p", "http://avs.example:443/a"},
		{"https://listed.example:8443/a"}, {"https://avs.localhost/a"}, {"https://localhost/a"},
		{"http://avs.example/a"}, // plain on this side, TLS on the other
		{"-0", "http://avs.example/a"}, {"-0", "--no-alpn", "https://avs.example/a"},
		{"https://avs.example/a", "https://avs.example/a"},
	} {
		if args[0] == "https://listed.example:8443/a" {
			args = append(args, "-k") // the test's root does not permit that name
		}
		want := strings.Repeat("GET /a with the token ", strings.Count(strings.Join(args, " ")+" ", "/a "))
		if got := f.curl(t, args...); got != want {
			t.Errorf("%v: %q", args, got)
		}
	}
	if got := f.curl(t, "-T", "-", "-H", "Expect:", "https://avs.example/up"); got != "PUT /up with the token " {
		t.Error(got)
	}
	for _, r := range f.upstream.got {
		if r.TLS == nil || r.ProtoMajor != 2 {
			t.Errorf("upstream got %s, TLS %t", r.Proto, r.TLS != nil)
		}
	}
}

// Every protocol of the CONNECT with every protocol inside it, several requests each.
func TestConnectIsServedLikeAnyConnection(t *testing.T) {
	f := forwarding(t, "reject", false)
	eachConnect(t, func(t *testing.T, connect connector) {
		for proto, scheme := range map[string]string{"http/1.1": "https", "h2": "https", "clear": "http", "h2c": "http"} {
			target := "avs.example:443"
			if scheme == "http" {
				target = "avs.example:80"
			}
			conn, resp := connect(t, f, target)
			if resp.StatusCode != 200 {
				t.Fatal(resp.Status)
			}
			client := inside(t, conn, proto, "avs.example", f.roots.Pool())
			payload := strings.Repeat("0123456789abcdef", 1<<14)
			for range 3 {
				got := do(t, client, request(t, "POST", scheme+"://avs.example/p", strings.NewReader(payload)))
				if want := "POST /p with the token " + payload; string(got.body) != want {
					t.Fatalf("%s: %d bytes instead of %d: %.200q", proto, len(got.body), len(want), got.body)
				}
			}
			conn.Close()
		}
	})
	if e := f.ended(t, 1); e.Route != "avs" || e.Path != "/p" || e.Decision != Injected || e.Status != 200 {
		t.Errorf("%+v", e)
	}
}

// What comes right behind the CONNECT's head is not lost.
func TestPipelinedClientHelloIsServed(t *testing.T) {
	f := forwarding(t, "reject", false)
	raw := dial(t, f.addr)
	conn := tls.Client(&pipelined{Conn: raw, t: t, head: "CONNECT avs.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
		&tls.Config{RootCAs: f.roots.Pool(), ServerName: "avs.example"})
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET /a HTTP/1.1\r\nHost: avs.example\r\nConnection: close\r\n\r\n")
	if got, _ := io.ReadAll(conn); !strings.HasSuffix(string(got), "GET /a with the token ") {
		t.Errorf("%q", got)
	}
	if raw := dial(t, f.addr); true { // and all of it at once, in the clear
		io.WriteString(raw, "CONNECT avs.example:80 HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\nHost: avs.example\r\nConnection: close\r\n\r\n")
		if got, _ := io.ReadAll(raw); !strings.HasSuffix(string(got), "GET /a with the token ") {
			t.Errorf("%q", got)
		}
	}
}

// A pipelined connection puts head in front of the first bytes written, and takes
// the answer to it off what is read.
type pipelined struct {
	net.Conn
	t    *testing.T
	head string
	read bool
}

func (c *pipelined) Write(p []byte) (int, error) {
	head := c.head
	c.head = ""
	n, err := c.Conn.Write(append([]byte(head), p...))
	return n - len(head), err
}

func (c *pipelined) Read(p []byte) (int, error) {
	if !c.read {
		c.read = true
		if resp := connectHead(c.t, c.Conn); resp.StatusCode != 200 {
			return 0, errors.New(resp.Status)
		}
	}
	return c.Conn.Read(p)
}

// Old clients send no name: they get the leaf of the CONNECT's target.
func TestClientWithoutSNI(t *testing.T) {
	f := forwarding(t, "reject", false)
	eachConnect(t, func(t *testing.T, connect connector) {
		conn, _ := connect(t, f, "avs.example:443")
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		if err := secure.Handshake(); err != nil {
			t.Fatal(err)
		}
		if err := secure.ConnectionState().PeerCertificates[0].VerifyHostname("avs.example"); err != nil {
			t.Error(err)
		}
		secure.Close()
	})
}

func TestC09_OneAuthorityInsideConnect(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	for _, c := range []struct {
		target, sni, host string
		want              int
	}{
		{"avs.example:443", "avs.example", "avs.example", 200},
		{"avs.example:443", "avs.example", "avs.example:443", 200},
		{"AVS.example:443", "avs.example", "avs.EXAMPLE.", 200},
		{"avs.localhost:443", "avs.localhost", "avs.localhost", 200},
		{"avs.example:443", "avs.example", "avs.example:80", 421},
		{"avs.example:443", "avs.example", "avs.example:8443", 421},
		{"avs.example:443", "avs.example", "evil.example", 421},
		{"avs.example:443", "avs.example", "localhost", 421},
		{"avs.example:443", "avs.example", "avs.localhost", 421},
		{"avs.example:443", "localhost", "avs.example", 421},
		{"avs.example:443", "avs.localhost", "avs.example", 421},
		{"avs.localhost:443", "avs.localhost", "localhost", 421},
		{"localhost:443", "localhost", "avs.example", 421},
	} {
		eachConnect(t, func(t *testing.T, connect connector) {
			for _, proto := range []string{"http/1.1", "h2"} {
				conn, resp := connect(t, f, c.target)
				if resp.StatusCode != 200 {
					t.Fatalf("%+v: %s", c, resp.Status)
				}
				before := f.reached()
				r := request(t, "GET", "https://upstream.invalid/a", nil)
				r.Host = c.host
				got := do(t, inside(t, conn, proto, c.sni, f.roots.Pool()), r)
				if got.StatusCode != c.want || (f.reached() > before) != (c.want == 200) {
					t.Errorf("%+v, %s: %s %s", c, proto, got.Status, got.body)
				}
				if c.want == 421 {
					problemOf(t, got, problem.UnknownHost)
				}
				conn.Close()
			}
		})
	}
}

// The absolute form, a second Host and further CONNECTs do not get around it, also
// not as the second request of a connection.
func TestC09_EveryRequestInsideConnectIsJudged(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	for text, want := range map[string]int{
		"GET https://avs.example/a HTTP/1.1\r\nHost: evil.example\r\n":   200, // RFC 9112 section 3.2.2: Host is not looked at
		"GET https://evil.example/a HTTP/1.1\r\nHost: avs.example\r\n":   421,
		"GET http://127.0.0.1:1/a HTTP/1.1\r\nHost: avs.example\r\n":     421,
		"GET /a HTTP/1.1\r\nHost: avs.example\r\nHost: evil.example\r\n": 400,
		"GET /a HTTP/1.0\r\n": 421,
		"CONNECT evil.example:443 HTTP/1.1\r\nHost: avs.example\r\n":       403,
		"CONNECT avs.example:443 HTTP/1.1\r\nHost: avs.example\r\n":        403,
		"GET /a HTTP/1.1\r\nHost: avs.example\r\nOrigin: https://evil\r\n": 403,
	} {
		raw, _ := connect1(t, f, "avs.example:443")
		conn := tls.Client(raw, &tls.Config{RootCAs: f.roots.Pool(), ServerName: "avs.example"})
		answers := bufio.NewReader(conn)
		for _, step := range []struct {
			text string
			want int
		}{{"GET /a HTTP/1.1\r\nHost: avs.example\r\n", 200}, {text, want}} {
			io.WriteString(conn, step.text+"\r\n")
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			if resp.StatusCode != step.want {
				t.Errorf("%q: %s", step.text, resp.Status)
			}
		}
		conn.Close()
	}
	for _, r := range f.upstream.got {
		if r.URL.Path != "/a" || r.Host == "evil.example" {
			t.Errorf("%s %s got through", r.Host, r.URL)
		}
	}
}

func TestOthersRejected(t *testing.T) {
	f := forwarding(t, "reject", false)
	eachConnect(t, func(t *testing.T, connect connector) {
		for _, target := range []string{"evil.example:443", "avs.example:8443", "avs.example:22", "127.0.0.1:1", "listed.example:443"} {
			_, resp := connect(t, f, target)
			if p := refusalOf(t, resp, problem.NotAllowed); !strings.Contains(p.Detail, `others = "reject"`) || !strings.Contains(p.Detail, target) {
				t.Errorf("%s: %+v", target, p)
			}
		}
	})
	if got := f.curl(t, "http://evil.example/"); !strings.Contains(got, `others = \"reject\"`) {
		t.Error(got)
	}
}

func TestC2_ConnectOfPagesIsRefused(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	conn := dial(t, f.addr)
	io.WriteString(conn, "CONNECT avs.example:443 HTTP/1.1\r\nOrigin: https://evil.example\r\n\r\n")
	refusalOf(t, connectHead(t, conn), problem.OriginForbidden)
}

func TestC4_ClientKeyIsShownOnceForAConnect(t *testing.T) {
	f := forwarding(t, "tunnel", true)
	eachConnect(t, func(t *testing.T, connect connector) {
		_, resp := connect(t, f, "avs.example:443")
		refusalOf(t, resp, problem.ClientKeyRequired)
		if resp.Header.Get("Proxy-Authenticate") == "" {
			t.Error("no Proxy-Authenticate")
		}
	})
	for _, args := range [][]string{
		{"--proxy-user", "x:" + clientKey}, {"--proxy-user", "x:" + clientKey, "--proxy-anyauth"}, {"--proxy-header", "Avsproxy-Key: " + clientKey},
	} {
		if got := f.curl(t, append(args, "https://avs.example/a", "https://avs.example/a")...); got != strings.Repeat("GET /a with the token ", 2) {
			t.Errorf("%v: %q", args, got)
		}
	}
	if got := f.curl(t, "--proxy-user", "x:wrong", "https://avs.example/a"); !strings.Contains(got, "407") {
		t.Error(got)
	}
	for _, r := range f.upstream.got {
		for name, values := range r.Header {
			if strings.Contains(strings.Join(values, ""), clientKey) {
				t.Errorf("%s carries the key", name)
			}
		}
	}
}

// echo is a host without a route: it sends back what comes, and then its goodbye.
func echo(t *testing.T) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
				io.WriteString(conn, "goodbye")
			}()
		}
	}()
	return ln.Addr().String()
}

func TestTunnelCarriesBytesAndHalfCloses(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	host := echo(t)
	payload := make([]byte, 3<<20)
	rand.Read(payload)
	n := 0
	eachConnect(t, func(t *testing.T, connect connector) {
		conn, resp := connect(t, f, host)
		if resp.StatusCode != 200 {
			t.Fatal(resp.Status)
		}
		go func() {
			conn.Write(payload)
			conn.(interface{ CloseWrite() error }).CloseWrite()
		}()
		got, err := io.ReadAll(conn)
		if err != nil || !bytes.Equal(got, append(payload[:len(payload):len(payload)], "goodbye"...)) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		n++
		e := f.ended(t, n)
		if e.Method != "CONNECT" || e.Path != host || e.Decision != Tunnelled || e.Status != 200 || e.Route != "" || e.Sent != 3<<20 || e.Written != 3<<20+7 {
			t.Errorf("%+v", e)
		}
	})
	for _, r := range f.upstream.got {
		t.Errorf("the upstream got %s", r.URL)
	}
}

// A target that ends first ends the client's reading, and it may go on sending where
// its protocol can tell that.
func TestTunnelEndsWithItsTarget(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	rest := make(chan string, 2)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "hello")
			conn.(*net.TCPConn).CloseWrite()
			got, _ := io.ReadAll(conn)
			conn.Close()
			rest <- string(got)
		}
	}()
	eachConnect(t, func(t *testing.T, connect connector) {
		conn, _ := connect(t, f, ln.Addr().String())
		if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
		tcp, ok := conn.(*net.TCPConn)
		if !ok {
			if got := <-rest; got != "" {
				t.Errorf("%q", got)
			}
			return
		}
		io.WriteString(conn, "bye")
		tcp.CloseWrite()
		if got := <-rest; got != "bye" {
			t.Errorf("%q", got)
		}
	})
}

func TestC08_OwnListenersAreNotReachedByATunnel(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	_, port, _ := net.SplitHostPort(f.addr)
	eachConnect(t, func(t *testing.T, connect connector) {
		// Under its usual names the proxy is a route's host; this one only resolves to it.
		for _, target := range []string{"127.0.0.1.:" + port, "LOCALHOST.:" + port} {
			conn, resp := connect(t, f, target)
			if resp.StatusCode != 200 { // intercepted: the route is there for all who may speak to the port
				t.Errorf("%s: %s", target, resp.Status)
			}
			conn.Close()
		}
		_, resp := connect(t, f, "[::ffff:127.0.0.1]:"+port)
		refusalOf(t, resp, problem.NotAllowed)
	})
	if got := f.curl(t, "http://[::ffff:127.0.0.1]:"+port+"/a"); !strings.Contains(got, "this proxy itself") {
		t.Error(got)
	}
}

func TestC11_MetadataAddressesAreNotReachedByATunnel(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	eachConnect(t, func(t *testing.T, connect connector) {
		for _, host := range []string{"169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "0.0.0.0", "[::]", "224.0.0.1"} {
			_, resp := connect(t, f, host+":80")
			refusalOf(t, resp, problem.NotAllowed)
			if got := f.curl(t, "-g", "http://"+host+"/latest/meta-data/"); !strings.Contains(got, `"not_allowed"`) {
				t.Errorf("%s: %s", host, got)
			}
		}
	})
	if e := f.ended(t, 1); e.Decision != Refused || e.Status != 403 || e.Fault == nil {
		t.Errorf("%+v", e)
	}
}

func TestTunnelThatCannotBe(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	eachConnect(t, func(t *testing.T, connect connector) {
		_, resp := connect(t, f, closedPort(t))
		refusalOf(t, resp, problem.UpstreamUnreachable)
		_, resp = connect(t, f, "nowhere.invalid:443")
		refusalOf(t, resp, problem.UpstreamUnreachable)
	})
	for _, target := range []string{"evil.example", "evil.example:", "evil.example:https", "evil_ü.example:443"} {
		conn := dial(t, f.addr)
		io.WriteString(conn, "CONNECT "+target+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp := connectHead(t, conn); resp.StatusCode != 403 && resp.StatusCode != 400 {
			t.Errorf("%s: %s", target, resp.Status)
		}
	}
}

// A dial that takes too long is told as such, and one whose client has left is not
// told at all.
func TestTunnelWhoseDialHangs(t *testing.T) {
	began := make(chan context.Context, 1)
	others := NewOthers(OthersOptions{Tunnels: &tunnel.Group{}, Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "slow") {
			return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
		}
		began <- ctx
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	host := httptest.NewServer(others)
	t.Cleanup(host.Close)
	f := &forwardLine{line: line{addr: host.Listener.Addr().String()}}
	_, resp := connect1(t, f, "slow.example:443")
	refusalOf(t, resp, problem.UpstreamTimeout)
	conn := dial(t, f.addr)
	io.WriteString(conn, "CONNECT stuck.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	ctx := <-began
	conn.Close()
	select {
	case <-ctx.Done():
	case <-time.After(patience):
		t.Error("the dial goes on")
	}
}

func TestPlainHTTPGoesOnWithoutACredential(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	var got *http.Request
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ := io.ReadAll(r.Body)
		w.Write(append([]byte("plain "), body...))
	}))
	t.Cleanup(host.Close)
	said := f.curl(t, "-d", "x", "--proxy-user", "me:secret", "-H", "Authorization: Bearer mine", "-H", "Avsproxy-Key: k", host.URL+"/p?q=secret")
	if said != "plain x" || got.Host != strings.TrimPrefix(host.URL, "http://") || got.RequestURI != "/p?q=secret" {
		t.Errorf("%q, %+v", said, got)
	}
	if h := got.Header; h.Get("Authorization") != "Bearer mine" || h.Get("Proxy-Authorization")+h.Get("Avsproxy-Key")+h.Get("Proxy-Connection") != "" {
		t.Error(h)
	}
	if e := f.ended(t, 1); e.Path != host.URL+"/p" || e.Decision != NoCredential || e.Status != 200 || e.Written != 7 {
		t.Errorf("%+v", e)
	}
	if said := f.curl(t, "http://"+closedPort(t)+"/"); !strings.Contains(said, `"upstream_unreachable"`) {
		t.Error(said)
	}
	conn := dial(t, f.addr)
	io.WriteString(conn, "GET https://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp := connectHead(t, conn); resp.Header.Get(problem.Header) != "not_allowed" {
		t.Error(resp.Status)
	}
}

func TestTunnelsDrain(t *testing.T) {
	for _, patient := range []bool{true, false} {
		eachConnect(t, func(t *testing.T, connect connector) {
			f := forwarding(t, "tunnel", false)
			conn, _ := connect(t, f, echo(t))
			io.WriteString(conn, "x")
			if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if !patient {
				ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
				defer cancel()
			}
			ended := make(chan error, 2)
			go func() { ended <- f.tunnels.Drain(ctx) }()
			go func() { ended <- f.server.Shutdown(ctx) }()
			if patient { // what is under way still works, and its end is the end
				io.WriteString(conn, "y")
				if got := make([]byte, 1); string(mustRead(t, conn, got)) != "y" {
					t.Errorf("%q", got)
				}
				conn.(interface{ CloseWrite() error }).CloseWrite()
			}
			rest, _ := io.ReadAll(conn)
			if patient != (string(rest) == "goodbye") {
				t.Errorf("patient %t: %q", patient, rest)
			}
			conn.Close()
			if a, b := <-ended, <-ended; patient && (a != nil || b != nil) {
				t.Error(a, b)
			}
		})
	}
}

func mustRead(t *testing.T, r io.Reader, p []byte) []byte {
	t.Helper()
	if _, err := io.ReadFull(r, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// Shutdown waits for what goes on inside a CONNECT, and not for what is idle.
func TestInterceptedConnectionsDrain(t *testing.T) {
	eachConnect(t, func(t *testing.T, connect connector) {
		for _, proto := range []string{"http/1.1", "h2"} {
			f := forwarding(t, "reject", false)
			conn, _ := connect(t, f, "avs.example:443")
			client := inside(t, conn, proto, "avs.example", f.roots.Pool())
			get(t, client, "https://avs.example/a")
			body, feed := io.Pipe()
			answered := make(chan string, 1)
			go func() {
				resp, err := client.Do(request(t, "POST", "https://avs.example/slow", body))
				if err != nil {
					answered <- err.Error()
					return
				}
				got, _ := io.ReadAll(resp.Body)
				answered <- string(got)
			}()
			io.WriteString(feed, "one ")
			eventually(t, "the upload to arrive", func() bool { return f.reached() == 2 })
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			down := make(chan error, 1)
			go func() { down <- f.server.Shutdown(ctx) }()
			io.WriteString(feed, "two")
			feed.Close()
			if got := <-answered; got != "POST /slow with the token one two" {
				t.Errorf("%s: %q", proto, got)
			}
			if err := <-down; err != nil {
				t.Errorf("%s: %v", proto, err)
			}
			conn.Close()
		}
	})
}
