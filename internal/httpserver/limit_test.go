package httpserver

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"avsproxy/internal/testkit"

	"golang.org/x/net/http2"
)

// What docs/security.md says of HTTP/2 is what clients are told.
func TestC22_SettingsAreAsDocumented(t *testing.T) {
	conn := testkit.Dial(t, serve(t, nil, http.NotFoundHandler()))
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.WriteSettings()
	window := 65535
	for settings := false; !settings || window == 65535; {
		frame := testkit.Must(framer.ReadFrame())(t)
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			settings = settings || !frame.IsAck()
			for id, want := range map[http2.SettingID]uint32{
				http2.SettingMaxConcurrentStreams: 250, http2.SettingInitialWindowSize: 64 << 10,
			} {
				if got, _ := frame.Value(id); got != want && !frame.IsAck() {
					t.Errorf("%v is %d", id, got)
				}
			}
			if size, said := frame.Value(http2.SettingMaxFrameSize); said && size != 16<<10 {
				t.Errorf("frames may have %d bytes", size)
			}
		case *http2.WindowUpdateFrame:
			window += int(frame.Increment)
		}
	}
	if window != 16<<20 {
		t.Errorf("the connection's window is %d", window)
	}
}

// limited lets one request in at a time, which says so and waits.
func limited(busy *InFlight, entered chan<- struct{}, leave <-chan struct{}) http.HandlerFunc {
	enter, _ := busy.Limit(1, 9)
	return func(_ http.ResponseWriter, r *http.Request) {
		done, ok := enter(r)
		if !ok {
			return
		}
		defer done()
		entered <- struct{}{}
		<-leave
	}
}

func TestRequestsBeyondTheBoundWaitForTheirTurn(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	busy := &InFlight{}
	handler := limited(busy, entered, leave)
	ask := func(ctx context.Context, method string) <-chan struct{} {
		over := make(chan struct{})
		go func() {
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, method, "/", nil))
			close(over)
		}()
		return over
	}
	first := ask(t.Context(), "GET")
	<-entered
	connect := ask(t.Context(), "CONNECT")
	<-entered // which does not wait
	second := ask(t.Context(), "GET")
	leave <- struct{}{}
	leave <- struct{}{}
	<-entered
	leave <- struct{}{}
	<-first
	<-second
	<-connect
}

// By net/http a client that sends no more while its request waits is cut off: the request was
// never sent, so nobody may say that it went well.
func TestRequestsThatWereNeverSentAreNotAnswered(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := limited(&InFlight{}, entered, leave)
	address := serveStandard(t, nil, handler)
	defer close(leave)
	ask := func(framing string) net.Conn {
		conn := testkit.Dial(t, address)
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\n"+framing+"\r\n\r\n")
		return conn
	}
	ask("Content-Length: 0")
	<-entered
	for range 20 {
		conn := ask("Content-Length: 0")
		conn.(*net.TCPConn).CloseWrite()
		if text, _ := io.ReadAll(conn); len(text) > 0 {
			t.Errorf("it got %q", text)
		}
	}
}

// A client that is gone before its turn is asked for gets no place, and no answer.
func TestThoseWhoAreGoneLeaveTheQueue(t *testing.T) {
	places, queue := make(chan struct{}, 1), make(chan struct{}, 1)
	places <- struct{}{}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		func() {
			defer func() {
				if how := recover(); how != http.ErrAbortHandler {
					t.Errorf("it ended with %v", how)
				}
			}()
			acquire(gone, places, queue)
		}()
	}
	if len(queue) != 0 {
		t.Error("it is in the queue")
	}
	<-places
	for range 100 {
		if !acquire(gone, places, queue) { // which the rest of the way will see
			t.Error("a place was free")
		}
		<-places
	}
}

func TestRequestsBeyondThoseThatWaitDoNotEnter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enter, _ := (&InFlight{}).Limit(1, 2)
		over := make(chan func(), 3)
		for range 3 {
			go func() {
				leave, _ := enter(httptest.NewRequest("GET", "/", nil))
				over <- leave
			}()
		}
		synctest.Wait()
		if _, ok := enter(httptest.NewRequest("GET", "/", nil)); ok || len(over) != 1 {
			t.Errorf("a fourth request entered: %v; %d of three are in", ok, len(over))
		}
		for range 3 {
			(<-over)()
		}
	})
}
