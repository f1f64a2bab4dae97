package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
)

func parseHead(t *testing.T, head string, body io.Reader) *http.Response {
	t.Helper()
	return testkit.Must(http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader(head), body)), &http.Request{Method: "CONNECT"}))(t)
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
	if e := f.ended(t, 1); e.Route != "avs" || e.Path != "/p" || e.Decision != exchange.Injected || e.Status != 200 {
		t.Errorf("%+v", e)
	}
}

// What comes right behind the CONNECT's head is not lost.
func TestPipelinedClientHelloIsServed(t *testing.T) {
	f := forwarding(t, "reject", false)
	raw := testkit.Dial(t, f.addr)
	conn := tls.Client(&pipelined{Conn: raw, t: t, head: "CONNECT avs.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
		&tls.Config{RootCAs: f.roots.Pool(), ServerName: "avs.example"})
	testkit.NoError(t, conn.Handshake())
	io.WriteString(conn, "GET /a HTTP/1.1\r\nHost: avs.example\r\nConnection: close\r\n\r\n")
	if got, _ := io.ReadAll(conn); !strings.HasSuffix(string(got), "GET /a with the token ") {
		t.Errorf("%q", got)
	}
	clear := testkit.Dial(t, f.addr) // and all of it at once
	io.WriteString(clear, "CONNECT avs.example:80 HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\nHost: avs.example\r\nConnection: close\r\n\r\n")
	if got, _ := io.ReadAll(clear); !strings.HasSuffix(string(got), "GET /a with the token ") {
		t.Errorf("%q", got)
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
		testkit.NoError(t, secure.Handshake())
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
			resp := testkit.Must(http.ReadResponse(answers, nil))(t)
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

func TestC02_ConnectOfPagesIsRefused(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	conn := testkit.Dial(t, f.addr)
	io.WriteString(conn, "CONNECT avs.example:443 HTTP/1.1\r\nOrigin: https://evil.example\r\n\r\n")
	refusalOf(t, connectHead(t, conn), problem.OriginForbidden)
}

func TestC04_ClientKeyIsShownOnceForAConnect(t *testing.T) {
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
// A target that ends first ends the client's reading, and it may go on sending where
// its protocol can tell that.
// A dial that takes too long is told as such, and one whose client has left is not
// told at all.
// Shutdown waits for what goes on inside a CONNECT, and not for what is idle.
