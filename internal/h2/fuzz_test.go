package h2

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// frames are some that are good, as seeds.
func frames(t testing.TB) (seeds [][]byte) {
	add := func(write func(f *http2.Framer)) {
		var out seedBuffer
		f := http2.NewFramer(&out, nil)
		f.AllowIllegalWrites = true
		f.WriteSettings()
		write(f)
		seeds = append(seeds, out)
	}
	head := []byte{0x82, 0x86, 0x84, 0x41, 0x01, 'h'} // GET http://h/
	add(func(f *http2.Framer) {
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head, EndHeaders: true, EndStream: true})
	})
	add(func(f *http2.Framer) {
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head, EndHeaders: true, PadLength: 3})
		f.WriteDataPadded(1, false, []byte("body"), []byte{0, 0})
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x00, 0x01, 'x', 0x01, 'y'}, EndHeaders: true, EndStream: true})
	})
	add(func(f *http2.Framer) {
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: head[:2]})
		f.WriteContinuation(3, true, head[2:])
		f.WriteRSTStream(3, http2.ErrCodeCancel)
		f.WritePing(false, [8]byte{1})
		f.WriteWindowUpdate(0, 1)
		f.WriteGoAway(0, http2.ErrCodeNo, nil)
	})
	return seeds
}

type seedBuffer []byte

func (b *seedBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// Whatever a client sends, the session ends with its connection, and nothing is left.
func FuzzServer(f *testing.F) {
	for _, seed := range frames(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		var group Group
		bridge := &Bridge{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(w, r.Body)
		})}
		fuzzSession(t, func(conn net.Conn) *Session { return group.Server(conn, Config{Accept: bridge.Accept}) }, append([]byte(Preface), sent...))
		bridge.Wait()
		holdsNothing(t, &group)
	})
}

// Whatever a server sends, a request gets an answer or an error.
func FuzzClient(f *testing.F) {
	for _, seed := range frames(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		var group Group
		asked := make(chan struct{})
		fuzzSession(t, func(conn net.Conn) *Session {
			s := group.Client(conn, Config{})
			go func() {
				defer close(asked)
				if resp, err := get(t, s); err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}()
			return s
		}, sent)
		<-asked
		holdsNothing(t, &group)
	})
}

// holdsNothing is for a group whose sessions have ended.
func holdsNothing(t *testing.T, g *Group) {
	t.Helper()
	if n := g.Held(); n != 0 {
		t.Errorf("%d bytes are counted for sessions that have ended", n)
	}
}

func fuzzSession(t *testing.T, begin func(net.Conn) *Session, sent []byte) {
	near, far := net.Pipe()
	s := begin(near)
	served := make(chan struct{})
	go func() { defer close(served); s.Serve() }()
	go io.Copy(io.Discard, far)
	far.SetWriteDeadline(time.Now().Add(time.Second))
	far.Write(sent)
	far.Close()
	select {
	case <-served:
	case <-time.After(10 * time.Second):
		t.Fatal("the session goes on behind its connection")
	}
	if s.streams.len() != 0 {
		t.Errorf("%d streams are left", s.streams.len())
	}
}
