package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// An upgradedConn is the upstream's side.
type upgradedConn struct {
	*bufio.ReadWriter
	net.Conn
}

func (c upgradedConn) Read(p []byte) (int, error)  { return c.ReadWriter.Read(p) }
func (c upgradedConn) Write(p []byte) (int, error) { return c.ReadWriter.Write(p) }

// A frameUpstream opens WebSockets and hands over their connections.
func frameUpstream(t *testing.T) (l *line, notes *notebook, opened <-chan upgradedConn) {
	conns := make(chan upgradedConn, 9)
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, both, _ := http.NewResponseController(w).Hijack()
		t.Cleanup(func() { conn.Close() })
		fmt.Fprint(both, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		both.Flush()
		conns <- upgradedConn{both, conn}
	}), testkit.HTTP1)
	notes = &notebook{}
	l = build(t, origin, roots, plan{source: static(), policy: Policy{WebSocket: true}, observe: Observer{Record: notes.record}})
	return l, notes, conns
}

func (l *line) lasting() *Lasting { return &l.handler.(*Handler).Lasting }

// upgraded is a client's connection that is a WebSocket.
func (l *line) upgraded(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn := testkit.Dial(t, l.addr)
	fmt.Fprint(conn, "GET /socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	in := bufio.NewReader(conn)
	resp := testkit.Must(http.ReadResponse(in, nil))(t)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp.Status)
	}
	return conn, in
}

const (
	byeToClient   = "\x88\x10\x03\xe9the proxy ends"
	byeToUpstream = "\x88\x90\x00\x00\x00\x00\x03\xe9the proxy ends"
)

func TestWebSocketsAreToldThatTheProxyEnds(t *testing.T) {
	for _, c := range []struct{ up, down, toUpstream, toClient string }{
		{"", "", byeToUpstream, byeToClient},
		{"\x81\x82\x00\x00\x00\x00hi", "\x81\x02yo", byeToUpstream, byeToClient},
		{"\x81\x82\x00\x00\x00\x00h", "\x81\x02yo", "", byeToClient}, // amid a message of the client
		{"\x81\x82\x00\x00\x00\x00hi", "\x81\x02y", byeToUpstream, ""},
	} {
		l, _, opened := frameUpstream(t)
		conn, in := l.upgraded(t)
		upstream := <-opened
		io.WriteString(conn, c.up)
		testkit.Must(io.ReadFull(upstream, make([]byte, len(c.up))))(t)
		io.WriteString(upstream, c.down)
		upstream.Flush()
		testkit.Must(io.ReadFull(in, make([]byte, len(c.down))))(t)
		if n := l.lasting().Count(); n != 1 {
			t.Errorf("%d last", n)
		}
		l.lasting().EndWebSockets()
		if rest, _ := io.ReadAll(in); string(rest) != c.toClient {
			t.Errorf("the client gets %q", rest)
		}
		if rest, _ := io.ReadAll(upstream); string(rest) != c.toUpstream {
			t.Errorf("the upstream gets %q", rest)
		}
		conn.Close()
		l.ended(t, 1)
		if n := l.lasting().Count(); n != 0 || l.lasting().WebSockets() != 0 {
			t.Errorf("%d last, %d of them WebSockets", n, l.lasting().WebSockets())
		}
	}
}

// An upstream that reads nothing does not hold the end up.
func TestAWebSocketEndsThoughTheUpstreamDoesNotRead(t *testing.T) {
	l, _, opened := frameUpstream(t)
	conn, in := l.upgraded(t)
	<-opened
	go func() {
		for frame := "\x82\xfe\xff\xff\x00\x00\x00\x00" + strings.Repeat("x", 1<<16-1); ; {
			if _, err := io.WriteString(conn, frame); err != nil {
				return
			}
		}
	}()
	testkit.Eventually(t, "the way to be full", func() bool { return l.lasting().stuck() })
	l.lasting().EndWebSockets()
	if rest, _ := io.ReadAll(in); string(rest) != byeToClient {
		t.Errorf("the client gets %q", rest)
	}
}

// stuck reports whether a Write waits.
func (l *Lasting) stuck() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.sockets {
		if s.mu.TryLock() {
			s.mu.Unlock()
			return false
		}
	}
	return true
}

func TestMessagesOfWebSocketsAreRecorded(t *testing.T) {
	l, notes, opened := frameUpstream(t)
	conn, in := l.upgraded(t)
	upstream := <-opened
	io.WriteString(conn, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58") // RFC 6455 section 5.7
	testkit.Must(io.ReadFull(upstream, make([]byte, 11)))(t)
	io.WriteString(upstream, "\x01\x03Hel\x80\x02lo\x88\x02\x03\xe8")
	upstream.Flush()
	testkit.Must(io.ReadFull(in, make([]byte, 13)))(t)
	conn.Close()
	upstream.Close()
	l.ended(t, 1)
	said := strings.Join(notes.last().said, "\n")
	for _, want := range []string{`client: text "Hello"`, `upstream: text "Hello"`, `upstream: close "\x03\xe8"`} {
		if !strings.Contains(said, want) {
			t.Errorf("%s is missing in\n%s", want, said)
		}
	}
}

func TestWhatLasts(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("X-Type"))
		if length := r.Header.Get("X-Length"); length != "" {
			w.Header().Set("Content-Length", length)
		}
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	for _, c := range []struct {
		path, kind, length string
		want               int
	}{
		{"/events", "text/event-stream", "", 1}, {"/events", "Text/Event-Stream; charset=utf-8", "", 1}, {"/events", "text/event-stream", "20", 0},
		{"/v20160207/directives", "multipart/related; boundary=x", "", 1}, {"/download", "application/octet-stream", "", 0},
	} {
		over(t, func(t *testing.T, client *http.Client) {
			l := build(t, origin, roots, plan{source: static()})
			r := request(t, "GET", l.url+c.path, nil)
			r.Header.Set("X-Type", c.kind)
			r.Header.Set("X-Length", c.length)
			resp := testkit.Must(client.Do(r))(t)
			if n := l.lasting().Count(); n != c.want {
				t.Errorf("%v: %d last", c, n)
			}
			resp.Body.Close()
			l.ended(t, 1)
			if n := l.lasting().Count(); n != 0 {
				t.Errorf("%v: %d last after its end", c, n)
			}
		})
	}
}
