package app

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/httpserver"
	"avsproxy/internal/listen"
	"avsproxy/internal/testkit"
	"avsproxy/internal/tunnel"
	"avsproxy/proxy"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A client of a tunnel over HTTP/2 that has granted every window and does not read:
// no frame of ours gets out, the one that resets the stream neither.
func TestDrainEndsThoughAClientDoesNotRead(t *testing.T) {
	flood := testkit.Listen(t)
	testkit.ServeConns(t, flood, func(conn net.Conn) {
		var err error
		for chunk := make([]byte, 1<<16); err == nil; {
			_, err = conn.Write(chunk)
		}
	})
	tunnels := &tunnel.Group{}
	others := proxy.NewUnrouted(proxy.UnroutedOptions{Dial: (&tunnel.Dialer{Loopback: true}).Dial, Tunnels: tunnels, ErrorLog: httpserver.DiscardLog()})
	s := &Server{capture: &captureObserver{}}
	rules := gate.Rules{Others: true, Host: func(exchange.Authority, exchange.Listener) bool { return false }}
	enter, _ := s.busy.Limit(maxRequests, maxWaiting)
	handler := &proxy.Handler{Rules: rules, Table: &gate.Table{}, Unrouted: others, Enter: enter}
	s.proxy = httpserver.New(handler, httpserver.DiscardLog())
	door := testkit.Listen(t)
	go s.proxy.Serve(listen.Sniff(door, nil, time.Second))
	defer s.proxy.Close()
	conn := testkit.Dial(t, door.Addr().String())
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	framer.WriteWindowUpdate(0, 1<<30)
	var head strings.Builder
	fields := hpack.NewEncoder(&head)
	fields.WriteField(hpack.HeaderField{Name: ":method", Value: http.MethodConnect})
	fields.WriteField(hpack.HeaderField{Name: ":authority", Value: flood.Addr().String()})
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(head.String()), EndHeaders: true})
	time.Sleep(time.Second) // until the buffers of both systems are full

	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	ended := make(chan error, 2)
	for _, end := range []func(context.Context) error{s.endProxy, tunnels.Drain} { // as wait does
		go func() { ended <- end(ctx) }()
	}
	for range 2 {
		select {
		case err := <-ended:
			t.Log(err)
		case <-time.After(5 * time.Second):
			t.Fatal("still not drained, long after the time was up")
		}
	}
}
