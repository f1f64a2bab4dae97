package tunnel

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/peer"
	"avsproxy/internal/testkit"
)

// serve takes CONNECTs, and tells what is known of the other requests' connection.
func serve(t *testing.T) (addr string, queue *ConnQueue) {
	t.Helper()
	ln := testkit.Listen(t)
	queue = NewConnQueue()
	intercept := Intercept(queue, func(conn net.Conn) (net.Conn, bool) { return conn, true })
	server := &http.Server{
		Protocols: testkit.AllProtocols(),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			known, inside := Inside(conn)
			if !inside {
				known.Peer = peer.Peer{Transport: peer.Loopback, UID: 7, Known: true}
			}
			return httpexchange.WithConn(ctx, &known, nil)
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodConnect {
				intercept(w, r, exchange.New(httpexchange.Conn(r), httpexchange.Head(r)))
				return
			}
			conn := httpexchange.Conn(r)
			fmt.Fprintf(w, "%d|%s|%v|%s", conn.Peer.UID, r.RemoteAddr, r.Context().Value(http.LocalAddrContextKey), conn.Tunnel.Host)
		}),
	}
	var serving sync.WaitGroup
	for _, ln := range []net.Listener{ln, queue} {
		serving.Go(func() { server.Serve(ln) })
	}
	t.Cleanup(func() { server.Close(); serving.Wait() })
	return ln.Addr().String(), queue
}

// What the outer connection established is known inside: who is there, where it
// came in, and for which host.
func TestInnerConnectionInherits(t *testing.T) {
	addr, _ := serve(t)
	check := func(client, got string) {
		t.Helper()
		if want := "7|" + client + "|" + addr + "|avs.example"; !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	conn := testkit.Dial(t, addr)
	io.WriteString(conn, "CONNECT avs.example:80 HTTP/1.1\r\n\r\nGET / HTTP/1.0\r\nHost: avs.example\r\n\r\n")
	got, _ := io.ReadAll(conn)
	check(conn.LocalAddr().String(), string(got))

	var client string // the same over HTTP/2
	transport := &http.Transport{Protocols: &http.Protocols{}, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		client = conn.LocalAddr().String()
		return conn, err
	}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	up, feed := io.Pipe()
	resp := testkit.Must(transport.RoundTrip(&http.Request{Method: "CONNECT", URL: &url.URL{Scheme: "http", Host: addr}, Host: "avs.example:80", Header: http.Header{}, Body: up}))(t)
	defer resp.Body.Close()
	for range 2 { // a kept-alive connection: net/http has moved its deadlines by then
		io.WriteString(feed, "GET / HTTP/1.1\r\nHost: avs.example\r\n\r\n")
		inner := testkit.Must(http.ReadResponse(bufio.NewReader(io.LimitReader(resp.Body, 1<<20)), nil))(t)
		got, _ := io.ReadAll(io.LimitReader(inner.Body, inner.ContentLength))
		check(client, string(got))
	}
	feed.Close()
	if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestClosedConnQueueAcceptsNothing(t *testing.T) {
	queue := NewConnQueue()
	if queue.Close() != nil || queue.Close() == nil {
		t.Error("closed twice")
	}
	if _, err := queue.Accept(); err == nil {
		t.Error("accepted")
	}
	ours, theirs := net.Pipe()
	queue.Put(theirs)
	if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
		t.Error(err)
	}
}
