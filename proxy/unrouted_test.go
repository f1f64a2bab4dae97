package proxy

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
	"avsproxy/internal/tunnel"
)

func TestRequestsWithoutARouteAreRejected(t *testing.T) {
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

func echo(t *testing.T) (addr string) {
	t.Helper()
	return rawTCP(t, func(conn net.Conn) {
		io.Copy(conn, conn)
		io.WriteString(conn, "goodbye")
	})
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
		if e.Method != "CONNECT" || e.Path != host || e.Decision != exchange.Tunnelled || e.Status != 200 || e.Route != "" || e.Sent != 3<<20 || e.Written != 3<<20+7 {
			t.Errorf("%+v", e)
		}
		recorded(t, &f.others)
		if sent, answered := f.others.last().bodies(); sent+answered != "" {
			t.Errorf("%d and %d bytes of the tunnel were recorded", len(sent), len(answered))
		}
	})
	for _, r := range f.upstream.got {
		t.Errorf("the upstream got %s", r.URL)
	}
}

func TestTunnelEndsWithItsTarget(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	rest := make(chan string, 2)
	target := rawTCP(t, func(conn net.Conn) {
		io.WriteString(conn, "hello")
		conn.(*net.TCPConn).CloseWrite()
		got, _ := io.ReadAll(conn)
		rest <- string(got)
	})
	eachConnect(t, func(t *testing.T, connect connector) {
		conn, _ := connect(t, f, target)
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
	if e := f.ended(t, 1); e.Decision != exchange.Refused || e.Status != 403 || e.Fault == nil {
		t.Errorf("%+v", e)
	}
}

func TestTunnelToAnUnreachableOrInvalidTargetIsRefused(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	eachConnect(t, func(t *testing.T, connect connector) {
		_, resp := connect(t, f, testkit.ClosedPort(t))
		refusalOf(t, resp, problem.UpstreamUnreachable)
		_, resp = connect(t, f, "nowhere.invalid:443")
		refusalOf(t, resp, problem.UpstreamUnreachable)
	})
	for _, target := range []string{"evil.example", "evil.example:", "evil.example:https", "evil_ü.example:443"} {
		conn := testkit.Dial(t, f.addr)
		io.WriteString(conn, "CONNECT "+target+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp := connectHead(t, conn); resp.StatusCode != 403 && resp.StatusCode != 400 {
			t.Errorf("%s: %s", target, resp.Status)
		}
	}
}

func TestTunnelWhoseDialHangs(t *testing.T) {
	began := make(chan context.Context, 1)
	others := NewUnrouted(UnroutedOptions{Tunnels: &tunnel.Group{}, Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "slow") {
			return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
		}
		began <- ctx
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	host := testkit.Server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		new(Handler).observe(w, r, exchange.New(httpexchange.Conn(r), httpexchange.Head(r)), "", others.serve)
	}))
	f := &forwardLine{line: line{addr: host.Listener.Addr().String()}}
	_, resp := connect1(t, f, "slow.example:443")
	refusalOf(t, resp, problem.UpstreamTimeout)
	conn := testkit.Dial(t, f.addr)
	io.WriteString(conn, "CONNECT stuck.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	ctx := <-began
	conn.Close()
	testkit.Receive(t, "the dial to end", ctx.Done())
}

func TestPlainHTTPGoesOnWithoutACredential(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	var got *http.Request
	host := testkit.Server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ := io.ReadAll(r.Body)
		w.Write(append([]byte("plain "), body...))
	}))
	said := f.curl(t, "-d", "x", "--proxy-user", "me:secret", "-H", "Authorization: Bearer mine", "-H", "Avsproxy-Key: k", host.URL+"/p?q=secret")
	if said != "plain x" || got.Host != strings.TrimPrefix(host.URL, "http://") || got.RequestURI != "/p?q=secret" {
		t.Errorf("%q, %+v", said, got)
	}
	if h := got.Header; h.Get("Authorization") != "Bearer mine" || h.Get("Proxy-Authorization")+h.Get("Avsproxy-Key")+h.Get("Proxy-Connection") != "" {
		t.Error(h)
	}
	if e := f.ended(t, 1); e.Path != host.URL+"/p" || e.Decision != exchange.NoCredential || e.Status != 200 || e.Written != 7 {
		t.Errorf("%+v", e)
	}
	if said := f.curl(t, "http://"+testkit.ClosedPort(t)+"/"); !strings.Contains(said, `"upstream_unreachable"`) {
		t.Error(said)
	}
	conn := testkit.Dial(t, f.addr)
	io.WriteString(conn, "GET https://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp := connectHead(t, conn); resp.Header.Get(problem.Header) != "not_allowed" {
		t.Error(resp.Status)
	}
}
