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
		bridge := &Bridge{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(w, r.Body)
		})}
		fuzzSession(t, func(g *Group, conn net.Conn) *Session { return g.Server(conn, Config{Accept: bridge.Accept}) }, append([]byte(Preface), sent...))
		bridge.Wait()
	})
}

// Whatever a server sends, a request gets an answer or an error.
func FuzzClient(f *testing.F) {
	for _, seed := range frames(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		asked := make(chan struct{})
		fuzzSession(t, func(g *Group, conn net.Conn) *Session {
			s := g.Client(conn, Config{})
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
	})
}

func fuzzSession(t *testing.T, begin func(*Group, net.Conn) *Session, sent []byte) {
	near, far := net.Pipe()
	s := begin(&Group{}, near)
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
