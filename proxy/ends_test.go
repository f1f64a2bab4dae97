package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

// "x:http://evil.example/" is parsed as an opaque URL; its rest is then the
// request-target that the upstream gets, with the token, in the absolute form.
func TestC09_OpaqueTargetNamesNoOtherHost(t *testing.T) {
	hosts := make(chan string, 1)
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts <- r.Host + " " + r.RequestURI + " " + r.Header.Get("Authorization")
	}), testkit.HTTP1)
	l := build(t, origin, roots, plan{source: static()})
	conn := testkit.Dial(t, l.addr)
	io.WriteString(conn, "GET x:http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	answer, _ := io.ReadAll(conn)
	select {
	case got := <-hosts:
		t.Errorf("the upstream was asked for %q", got)
	default:
		t.Logf("%.200s", answer)
	}
}

// As TestHTTP10ClientSeesNoInterimAnswerAndNoCleanEndOfABrokenOne, over TLS.
func TestHTTP10ClientOverTLSSeesNoCleanEndOfABrokenAnswer(t *testing.T) {
	server := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer abortResponse(w)
		io.WriteString(w, "half of it")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}), testkit.HTTP1)
	conn := testkit.Must(tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true}))(t)
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
	if answer, err := io.ReadAll(conn); err == nil {
		t.Errorf("a broken answer ended as if it were whole: %q", answer)
	}
}

// The client has said all it has to say, the upstream has not.
func TestWebSocketsHalfClose(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, buffers, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		io.Copy(io.Discard, buffers)
		time.Sleep(100 * time.Millisecond)
		io.WriteString(conn, "goodbye")
	}), testkit.HTTP1)
	l := build(t, origin, roots, plan{source: static(), policy: Policy{WebSocket: true}})
	conn := testkit.Dial(t, l.addr)
	io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	io.WriteString(conn, "hello")
	conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(in); string(got) != "goodbye" {
		t.Errorf("%q, %v", got, err)
	}
}
