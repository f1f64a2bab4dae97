package proxy

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"avsproxy/internal/certs"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
)

// rawTCP serves each connection by f, which owns it.
func rawTCP(t testing.TB, f func(net.Conn)) (addr string) {
	t.Helper()
	ln := testkit.Listen(t)
	testkit.ServeConns(t, ln, f)
	return ln.Addr().String()
}

// rawTLS serves each connection by f after the handshake.
func rawTLS(t testing.TB, protocols []string, f func(net.Conn), names ...string) (addr string, roots *x509.CertPool) {
	t.Helper()
	if len(names) == 0 {
		names = []string{"127.0.0.1"}
	}
	authority, leaf := certified(t, names...)
	return rawLeaf(t, leaf, protocols, f), authority.Pool()
}

// certified returns a certificate that is good for an hour.
func certified(t testing.TB, names ...string) (*certs.Authority, *tls.Certificate) {
	t.Helper()
	authority := testkit.Must(certs.New("test"))(t)
	leaf := testkit.Must(authority.Leaf(time.Hour, names...))(t)
	return authority, leaf
}

func rawLeaf(t testing.TB, leaf *tls.Certificate, protocols []string, f func(net.Conn)) (addr string) {
	conf := &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: protocols}
	return rawTCP(t, func(raw net.Conn) {
		conn := tls.Server(raw, conf)
		if conn.Handshake() == nil {
			f(conn)
			conn.Close()
		}
	})
}

func hang(conn net.Conn) { io.Copy(io.Discard, conn) }

// readHead reads a request's head.
func readHead(conn net.Conn) { http.ReadRequest(bufio.NewReader(conn)) }

func TestPromise8_EveryFailureOfTheUpstreamIsExplained(t *testing.T) {
	t.Parallel()
	expired := func(t *testing.T) (string, *x509.CertPool) {
		authority, _ := certs.New("test")
		leaf := testkit.Must(authority.Leaf(-time.Second, "127.0.0.1"))(t)
		return rawLeaf(t, leaf, []string{"h2"}, hang), authority.Pool()
	}
	plain := func(f func(net.Conn)) func(*testing.T) (string, *x509.CertPool) {
		return func(t *testing.T) (string, *x509.CertPool) { return rawTCP(t, f), nil }
	}
	over := func(protocol string, f func(net.Conn), names ...string) func(*testing.T) (string, *x509.CertPool) {
		return func(t *testing.T) (string, *x509.CertPool) { return rawTLS(t, []string{protocol}, f, names...) }
	}
	frames := func(answer func(framer *http2.Framer, stream uint32)) func(*testing.T) (string, *x509.CertPool) {
		return over("h2", func(conn net.Conn) { testkit.ServeFrames(conn, answer) })
	}
	for name, c := range map[string]struct {
		upstream func(t *testing.T) (addr string, roots *x509.CertPool)
		code     problem.Code
		detail   string
		hint     string
	}{
		"refuses":         {func(t *testing.T) (string, *x509.CertPool) { return testkit.ClosedPort(t), nil }, problem.UpstreamUnreachable, "refused", "runs"},
		"no such name":    {func(t *testing.T) (string, *x509.CertPool) { return "no-such-name.invalid", nil }, problem.UpstreamUnreachable, "resolved", "network"},
		"hangs in TLS":    {plain(hang), problem.UpstreamTimeout, "no connection", "dial_timeout"},
		"hangs, h2":       {frames(func(*http2.Framer, uint32) {}), problem.UpstreamTimeout, "no answer", "header_timeout"},
		"hangs, HTTP/1.1": {over("http/1.1", hang), problem.UpstreamTimeout, "no answer", "header_timeout"},
		"wrong name":      {over("h2", hang, "other.localhost"), problem.UpstreamUnreachable, "another name", "config.toml"},
		"unknown CA": {func(t *testing.T) (string, *x509.CertPool) {
			addr, _ := rawTLS(t, nil, hang)
			return addr, x509.NewCertPool()
		}, problem.UpstreamUnreachable, "not trusted", "ca_file"},
		"expired":         {expired, problem.UpstreamUnreachable, "not valid", "clock"},
		"no TLS: HTTP":    {plain(func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad\r\n\r\n") }), problem.UpstreamUnreachable, "does not speak TLS", "port"},
		"no TLS: SSH":     {plain(func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n"); hang(c) }), problem.UpstreamUnreachable, "does not speak TLS", "port"},
		"closes at once":  {plain(func(net.Conn) {}), problem.UpstreamUnreachable, "no connection", "log"},
		"garbage":         {over("http/1.1", func(c net.Conn) { readHead(c); io.WriteString(c, "secret garbage\r\n\r\n") }), problem.UpstreamUnreachable, "", ""},
		"garbage in h2":   {over("h2", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 secret garbage\r\n\r\n"); hang(c) }), problem.UpstreamUnreachable, "", ""},
		"cut mid-head":    {over("http/1.1", func(c net.Conn) { readHead(c); io.WriteString(c, "HTTP/1.1 200 OK\r\nSecret: x\r\nCont") }), problem.UpstreamUnreachable, "cut", "not known"},
		"cut before head": {over("http/1.1", readHead), problem.UpstreamUnreachable, "cut", "not known"},
		"cut in h2":       {over("h2", func(c net.Conn) { testkit.ServeFrames(c, func(*http2.Framer, uint32) { c.Close() }) }), problem.UpstreamUnreachable, "cut", "not known"},
		"stream reset":    {frames(func(f *http2.Framer, s uint32) { f.WriteRSTStream(s, http2.ErrCodeInternal) }), problem.UpstreamUnreachable, "stream (INTERNAL_ERROR)", "not known"},
		"always GOAWAY":   {frames(func(f *http2.Framer, s uint32) { f.WriteGoAway(0, http2.ErrCodeNo, []byte("secret")) }), problem.UpstreamUnreachable, "before it looked", "not acted upon"},
		"GOAWAY in error": {frames(func(f *http2.Framer, s uint32) { f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, []byte("secret")) }), problem.UpstreamUnreachable, "", "try again"},
	} {
		t.Run(name, func(t *testing.T) {
			addr, roots := c.upstream(t)
			for _, single := range []bool{true, false} {
				l := build(t, "https://"+addr, roots, plan{source: static(), options: upstream.Options{
					SingleConnection: single, DialTimeout: time.Second, HeaderTimeout: 500 * time.Millisecond,
				}})
				began := time.Now()
				a := do(t, h1Client(t), request(t, "POST", l.url+"/x", strings.NewReader("body")))
				p := problemOf(t, a, c.code)
				if !strings.Contains(p.Detail, c.detail) || !strings.Contains(p.Hint, c.hint) || !strings.Contains(p.Detail, addr) {
					t.Errorf("single=%v: %s: %v", single, a.body, l.ended(t, 1).Fault)
				}
				if strings.Contains(string(a.body), "ecret") {
					t.Errorf("it repeats the upstream: %s", a.body)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				e := l.ended(t, 1)
				if e.Fault == nil || strings.Contains(e.Fault.Error(), "ecret") {
					t.Errorf("Fault: %v", e.Fault)
				}
			}
		})
	}
}

// The bound is one for the whole of connecting: not one for each of its steps.
func TestDialTimeoutBoundsTheWait(t *testing.T) {
	const bound = 500 * time.Millisecond
	for _, single := range []bool{true, false} {
		addr := rawTCP(t, hang)
		l := build(t, "https://"+addr, nil, plan{source: static(), options: upstream.Options{SingleConnection: single, DialTimeout: bound}})
		began := time.Now()
		get(t, h1Client(t), l.url)
		if took := time.Since(began); took < bound-dialGrace || took > 3*bound/2+10*time.Second {
			t.Errorf("single=%v: %v", single, took)
		}
	}
}

func TestClientCertificateIsAskedFor(t *testing.T) {
	authority, _ := certs.New("test")
	leaf, _ := authority.Leaf(time.Hour, "127.0.0.1")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
		server.EnableHTTP2 = true
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: version, Certificates: []tls.Certificate{*leaf}}
		server.StartTLS()
		defer server.Close()
		for _, single := range []bool{true, false} {
			without := build(t, server.URL, authority.Pool(), plan{source: static(), options: upstream.Options{SingleConnection: single}})
			p := problemOf(t, get(t, h1Client(t), without.url), problem.UpstreamUnreachable)
			// Under TLS 1.3 the handshake ends before the server looks; its alert may
			// come after the connection was cut.
			if version == tls.VersionTLS12 && !strings.Contains(p.Hint, "tls_cert") {
				t.Errorf("%x single=%v: %s; %s: %v", version, single, p.Detail, p.Hint, without.ended(t, 1).Fault)
			}
			with := build(t, server.URL, authority.Pool(), plan{source: static(), options: upstream.Options{SingleConnection: single, Certificate: leaf}})
			if a := get(t, h1Client(t), with.url); a.StatusCode != 200 {
				t.Errorf("%s %s", a.Status, a.body)
			}
		}
	}
}

func TestC17_OldTLSIsRefused(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was spoken to") }), func(server *httptest.Server) {
		server.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	})
	l := build(t, origin, roots, plan{source: static()})
	problemOf(t, get(t, h1Client(t), l.url), problem.UpstreamUnreachable)
}

// A broken body must not look like a whole one.
func TestBrokenAnswersArriveBroken(t *testing.T) {
	h2Answer := func(end func(*http2.Framer, uint32, net.Conn)) func(conn net.Conn) {
		return func(conn net.Conn) {
			testkit.ServeFrames(conn, func(framer *http2.Framer, stream uint32) {
				testkit.AnswerBegin(framer, stream)
				framer.WriteData(stream, false, []byte("half of it"))
				end(framer, stream, conn)
			})
		}
	}
	h1Answer := func(head, body string) func(conn net.Conn) {
		return func(conn net.Conn) {
			readHead(conn)
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\n\r\n%s", head, body)
			conn.(*tls.Conn).NetConn().Close() // no goodbye
		}
	}
	for name, c := range map[string]struct {
		protocol string
		serve    func(net.Conn)
	}{
		"reset":         {"h2", h2Answer(func(f *http2.Framer, s uint32, _ net.Conn) { f.WriteRSTStream(s, http2.ErrCodeInternal) })},
		"cut":           {"h2", h2Answer(func(_ *http2.Framer, _ uint32, c net.Conn) { c.Close() })},
		"short length":  {"http/1.1", h1Answer("Content-Length: 100", "half of it")},
		"no last chunk": {"http/1.1", h1Answer("Transfer-Encoding: chunked", "a\r\nhalf of it\r\n")},
		"no goodbye":    {"http/1.1", h1Answer("Connection: close", "half of it")},
	} {
		t.Run(name, func(t *testing.T) {
			addr, roots := rawTLS(t, []string{c.protocol}, c.serve)
			l := build(t, "https://"+addr, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
			for i, protocol := range []string{"HTTP1", "h2c"} {
				resp, err := clients(t)[protocol].Do(request(t, "GET", l.url, nil))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if err == nil {
					t.Errorf("%s: a clean end", protocol)
				}
				if e := l.ended(t, i+1); e.Fault == nil {
					t.Errorf("%s: no fault: %+v", protocol, e)
				}
			}
		})
	}
}
