package proxy

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elazarl/goproxy"

	"avsproxy/internal/problem"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/internal/tunnel"
	"avsproxy/internal/upstream"
)

const proxyPassword = "p@ss:wörd/" // what has to be percent-encoded in a URL

// behind is a name in the sandbox's certificate; on its port 443 nobody listens.
const behind = "localhost"

// A corporation is a proxy of somebody else's that asks for a password.
type corporation struct {
	url      string // with the password
	asked    atomic.Int64
	connects atomic.Int64
	roots    *x509.CertPool // of one over TLS
}

// runCorporation starts goproxy, which leads every name to addr: whoever went past it
// would not get there.
func runCorporation(t testing.TB, addr string, secured bool) *corporation {
	t.Helper()
	c := &corporation{}
	server := goproxy.NewProxyHttpServer()
	server.Logger = log.New(io.Discard, "", 0)
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+proxyPassword))
	server.OnRequest().HandleConnectFunc(func(host string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		c.asked.Add(1)
		if ctx.Req.Header.Get("Proxy-Authorization") != want {
			ctx.Resp = &http.Response{StatusCode: http.StatusProxyAuthRequired, ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
				Header: http.Header{"Proxy-Authenticate": {`Basic realm="corp"`}}}
			return goproxy.RejectConnect, host
		}
		c.connects.Add(1)
		return goproxy.OkConnect, host
	})
	server.ConnectDial = func(network, _ string) (net.Conn, error) { return net.Dial(network, addr) }
	httpServer := httptest.NewUnstartedServer(server)
	httpServer.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secured {
		httpServer.StartTLS()
		c.roots = testkit.Pool(httpServer)
	} else {
		httpServer.Start()
	}
	t.Cleanup(httpServer.Close)
	c.url = strings.Replace(httpServer.URL, "://", "://"+url.UserPassword("user", proxyPassword).String()+"@", 1)
	return c
}

// through is the choice of one proxy for everything.
func through(t testing.TB, text string) func(*url.URL) (*url.URL, error) {
	t.Helper()
	via := testkit.Must(url.Parse(text))(t)
	return func(*url.URL) (*url.URL, error) { return via, nil }
}

// join has the sandbox's root and the proxy's.
func (c *corporation) join(t testing.TB, s *sandbox.Sandbox) *x509.CertPool {
	pool := testkit.PoolOf(t, s.RootPEM())
	if c.roots != nil {
		pool = c.roots.Clone()
		pool.AppendCertsFromPEM(s.RootPEM())
	}
	return pool
}

func TestUpstreamBehindACorporateProxy(t *testing.T) {
	for _, secured := range []bool{false, true} {
		for _, http1 := range []bool{false, true} {
			t.Run(fmt.Sprintf("TLS=%v/upstreamHTTP1=%v", secured, http1), func(t *testing.T) {
				s := start(t, sandbox.Options{HTTP1: http1})
				c := runCorporation(t, strings.TrimPrefix(s.AVS(), "https://"), secured)
				l := build(t, "https://"+behind, c.join(t, s), plan{source: login(t, s), options: upstream.Options{
					SingleConnection: true, Proxy: through(t, c.url),
				}})
				over(t, func(t *testing.T, client *http.Client) {
					a := do(t, client, request(t, "POST", l.url+"/sandbox/echo", strings.NewReader(strings.Repeat("x", 100_000))))
					if a.StatusCode != 200 || len(a.body) != 100_000 {
						t.Fatalf("%s %d bytes, %v", a.Status, len(a.body), l.logged())
					}
				})
				arrival := s.Ledger()[0]
				if want := map[bool]string{false: "HTTP/2.0", true: "HTTP/1.1"}[http1]; arrival.Proto != want || arrival.Authority != behind {
					t.Errorf("%s for %s", arrival.Proto, arrival.Authority)
				}
				if arrival.Header.Get("Proxy-Authorization") != "" || c.connects.Load() == 0 {
					t.Errorf("%d tunnels, %v", c.connects.Load(), arrival.Header)
				}
				l.upstream.Close()
				testkit.Eventually(t, "the end of all connections", func() bool { now, _ := s.Connections(); return now == 0 })
			})
		}
	}
}

func TestPromise8_EveryFailureOfACorporateProxyIsExplained(t *testing.T) {
	t.Parallel()
	answering := func(text string) func(*testing.T) string {
		return func(t *testing.T) string {
			return "http://user:c4n4ry-pass@" + rawTCP(t, func(conn net.Conn) { readHead(conn); io.WriteString(conn, text); hang(conn) })
		}
	}
	for name, c := range map[string]struct {
		proxy  func(t *testing.T) string
		code   problem.Code
		detail string
		hint   string
	}{
		"no password":    {func(t *testing.T) string { return withoutUser(runCorporation(t, testkit.ClosedPort(t), false).url) }, problem.UpstreamUnreachable, "wants a user name and password", "USER:PASSWORD@"},
		"wrong password": {answering("HTTP/1.1 407 c4n4ry-words\r\n\r\n"), problem.UpstreamUnreachable, "wants a user name and password", "percent-encoded"},
		"forbids":        {answering("HTTP/1.1 403 c4n4ry-words\r\n\r\n"), problem.UpstreamUnreachable, "did not connect to it (status 403)", "NO_PROXY"},
		"is no proxy":    {answering("220 c4n4ry-words ESMTP\r\n"), problem.UpstreamUnreachable, "not HTTP", "HTTPS_PROXY"},
		"endless head":   {answering("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", proxyHeadMost+1)), problem.UpstreamUnreachable, "not HTTP", "HTTPS_PROXY"},
		"hangs":          {answering(""), problem.UpstreamTimeout, "nothing was sent", "HTTPS_PROXY"},
		"hangs in TLS": {func(t *testing.T) string { return "https://user:c4n4ry-pass@" + rawTCP(t, hang) },
			problem.UpstreamTimeout, "nothing was sent", "HTTPS_PROXY"},
		"hangs in SOCKS": {func(t *testing.T) string { return "socks5://user:c4n4ry-pass@" + rawTCP(t, hang) },
			problem.UpstreamTimeout, "nothing was sent", "HTTPS_PROXY"},
		"cuts":    {func(t *testing.T) string { return "http://" + rawTCP(t, readHead) }, problem.UpstreamUnreachable, "cut", "HTTPS_PROXY"},
		"refuses": {func(t *testing.T) string { return "http://user:c4n4ry-pass@" + testkit.ClosedPort(t) }, problem.UpstreamUnreachable, "refused", "HTTPS_PROXY"},
		"unknown CA": {func(t *testing.T) string { return runCorporation(t, testkit.ClosedPort(t), true).url },
			problem.UpstreamUnreachable, "not trusted", "SSL_CERT_FILE"},
		"no such name": {func(*testing.T) string { return "http://no-such-proxy.invalid" }, problem.UpstreamUnreachable, "resolved", "HTTPS_PROXY"},
	} {
		t.Run(name, func(t *testing.T) {
			bound := testkit.Timeout
			if c.code == problem.UpstreamTimeout {
				bound = time.Second
			}
			for _, single := range []bool{true, false} {
				l := build(t, "https://upstream.example", x509.NewCertPool(), plan{source: static(), options: upstream.Options{
					SingleConnection: single, DialTimeout: bound, Proxy: through(t, c.proxy(t)),
				}})
				a := get(t, h1Client(t), l.url)
				p := problemOf(t, a, c.code)
				if !strings.Contains(p.Detail, c.detail) || !strings.Contains(p.Hint, c.hint) || !strings.Contains(p.Detail, "upstream.example") {
					t.Errorf("single=%v: %s", single, a.body)
				}
				if told := string(a.body) + l.ended(t, 1).Fault.Error() + l.logged(); testkit.HasCanary(told) {
					t.Errorf("single=%v: it tells: %s", single, told)
				}
			}
		})
	}
}

func withoutUser(text string) string {
	parsed, _ := url.Parse(text)
	parsed.User = nil
	return parsed.String()
}

// A proxy that is ourselves would be a loop.
func TestC08_OwnListenersAreNoCorporateProxy(t *testing.T) {
	own := testkit.Listen(t)
	dialer := &tunnel.Dialer{Own: func() []net.Addr { return []net.Addr{own.Addr()} }, Loopback: true}
	for _, scheme := range []string{"http", "https", "socks5"} {
		l := build(t, "https://upstream.example", nil, plan{source: static(), options: upstream.Options{
			Control: dialer.NotOwn, Proxy: through(t, scheme+"://"+own.Addr().String()),
		}})
		p := problemOf(t, get(t, h1Client(t), l.url), problem.UpstreamUnreachable)
		if !strings.Contains(p.Detail, "is this proxy itself") || !strings.Contains(p.Hint, "HTTPS_PROXY") {
			t.Errorf("%s: %+v", scheme, p)
		}
	}
}

// RFC 1928 and 1929, as a server that leads to addr; reply is what it says to the
// request.
func runSOCKS(t testing.TB, addr string, reply byte) (at string) {
	return rawTCP(t, func(conn net.Conn) {
		buffer := make([]byte, 512)
		n, _ := conn.Read(buffer)
		if !bytes.Contains(buffer[2:n], []byte{2}) { // the methods that the client knows
			conn.Write([]byte{5, 0xff})
			return
		}
		conn.Write([]byte{5, 2})
		n, _ = conn.Read(buffer)
		if want := fmt.Sprintf("\x01\x04user%c%s", len(proxyPassword), proxyPassword); string(buffer[:n]) != want {
			conn.Write([]byte{1, 1})
			return
		}
		conn.Write([]byte{1, 0})
		n, _ = conn.Read(buffer)
		if want := fmt.Sprintf("\x05\x01\x00\x03%c%s\x01\xbb", len(behind), behind); string(buffer[:n]) != want {
			return
		}
		conn.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
		if reply != 0 {
			return
		}
		target, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer target.Close()
		go func() { io.Copy(target, conn); target.Close() }()
		io.Copy(conn, target)
	})
}

func TestUpstreamBehindASOCKSProxy(t *testing.T) {
	s := start(t, sandbox.Options{})
	user := url.UserPassword("user", proxyPassword).String() + "@"
	for name, c := range map[string]struct {
		user   string
		reply  byte
		detail string
	}{
		"works": {user: user}, "no user": {detail: "wants a user name and password"}, "wrong user": {user: "user:wrong@", detail: "wants a user name"},
		"not allowed": {user: user, reply: 2, detail: "did not connect to it (connection not allowed by ruleset)"},
	} {
		t.Run(name, func(t *testing.T) {
			at := runSOCKS(t, strings.TrimPrefix(s.AVS(), "https://"), c.reply)
			for _, scheme := range []string{"socks5", "socks5h"} {
				l := build(t, "https://"+behind, s.Pool(), plan{source: login(t, s), options: upstream.Options{Proxy: through(t, scheme+"://"+c.user+at)}})
				a := get(t, h1Client(t), l.url+"/ping")
				if c.detail == "" {
					if a.StatusCode != http.StatusNoContent {
						t.Fatalf("%s %s", a.Status, a.body)
					}
					continue
				}
				if p := problemOf(t, a, problem.UpstreamUnreachable); !strings.Contains(p.Detail, c.detail) {
					t.Errorf("%s", a.body)
				}
			}
		})
	}
}

// An unknown kind of proxy and one that cannot be chosen are not passed by.
func TestNothingIsDialedWhereTheUpstreamProxyIsInvalid(t *testing.T) {
	direct := rawTCP(t, func(net.Conn) { t.Error("it went direct") })
	for _, choose := range []func(*url.URL) (*url.URL, error){
		through(t, "gopher://proxy.example"),
		func(*url.URL) (*url.URL, error) { return nil, errors.New(testkit.Canary) },
	} {
		l := build(t, "https://"+direct, nil, plan{source: static(), options: upstream.Options{Proxy: choose}})
		a := get(t, h1Client(t), l.url)
		if p := problemOf(t, a, problem.UpstreamUnreachable); !strings.Contains(p.Hint, "HTTPS_PROXY") || testkit.HasCanary(string(a.body)) {
			t.Errorf("%s", a.body)
		}
	}
}
