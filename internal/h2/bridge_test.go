package h2

import (
	"avsproxy/internal/testkit"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A client that waits with its body (RFC 9110 section 10.1.1) is asked for it when the
// handler reads, and is not when it answers unread.
func TestBodiesAreAskedFor(t *testing.T) {
	addr := serveH2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/unread" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if r.Header.Get("Expect") != "" {
			t.Error("the handler is asked to do it")
		}
		io.Copy(w, r.Body)
	}), Config{})
	for path, want := range map[string][]string{"/read": {"100", "200"}, "/unread": {"403"}} {
		c := dialFrames(t, addr)
		c.open(1, ":method", "POST", ":scheme", "http", ":authority", "x", ":path", path, "expect", "100-continue")
		for _, status := range want {
			if got := c.status(t); got != status {
				t.Fatalf("%s: %s, want %s", path, got, status)
			}
			if status == "100" {
				c.WriteData(1, true, []byte("body"))
			}
		}
	}
}

// Trailers that the head did not announce arrive all the same.
func TestUnannouncedTrailersArrive(t *testing.T) {
	came := make(chan http.Header, 1)
	addr := serveH2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		came <- r.Trailer
	}), Config{})
	c := dialFrames(t, addr)
	c.open(1, ":method", "POST", ":scheme", "http", ":authority", "x", ":path", "/")
	c.WriteData(1, false, []byte("body"))
	c.write(1, true, "x-sum", "4")
	if got := <-came; got.Get("X-Sum") != "4" {
		t.Errorf("%v", got)
	}
}

// An extended CONNECT is malformed where it was not offered (RFC 8441 section 3).
func TestExtendedConnectNeedsAnOffer(t *testing.T) {
	addr := serveH2(t, http.NotFoundHandler(), Config{})
	c := dialFrames(t, addr)
	c.open(1, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "x", ":path", "/")
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if reset, ok := frame.(*http2.RSTStreamFrame); ok {
			if reset.ErrCode != http2.ErrCodeProtocol {
				t.Error(reset)
			}
			return
		}
	}
}

// A frameClient speaks in frames.
type frameClient struct {
	*http2.Framer
	block  bytes.Buffer
	fields *hpack.Encoder
}

func dialFrames(t *testing.T, addr string) *frameClient {
	t.Helper()
	conn := testkit.Dial(t, addr)
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, Preface)
	return framesOn(conn)
}

func framesOn(conn net.Conn) *frameClient {
	c := &frameClient{Framer: http2.NewFramer(conn, conn)}
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.fields = hpack.NewEncoder(&c.block)
	c.WriteSettings()
	return c
}

func (c *frameClient) open(id uint32, fields ...string) { c.write(id, false, fields...) }

func (c *frameClient) write(id uint32, fin bool, fields ...string) {
	c.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		c.fields.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: fin})
}

// status is that of the next head.
func (c *frameClient) status(t *testing.T) string {
	t.Helper()
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if head, ok := frame.(*http2.MetaHeadersFrame); ok {
			return head.PseudoValue("status")
		}
	}
}

// A client that reads nothing cannot have answers pile up: who has not seen the end of
// earlier ones has no place for others.
func TestAnswersThatNobodyReadsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		served := 0
		bridge := &Bridge{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			served++
			w.WriteHeader(http.StatusNoContent)
		})}
		ours, theirs := net.Pipe()
		defer ours.Close()
		s := new(Group).Server(theirs, Config{Accept: bridge.Accept, MaxStreams: 10})
		go s.Serve()
		io.WriteString(ours, Preface)
		c := framesOn(ours)
		for id := uint32(1); s.Err() == nil; id += 2 {
			c.write(id, true, ":method", "GET", ":scheme", "http", ":authority", "x", ":path", "/")
			synctest.Wait()
		}
		if served != 20 || !errors.As(s.Err(), new(ConnError)) {
			t.Errorf("%d answers were written to nobody; %v", served, s.Err())
		}
	})
}
