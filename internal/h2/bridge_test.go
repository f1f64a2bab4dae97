package h2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"

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

// next is the next frame of a stream that is no WINDOW_UPDATE; id 0 = of any.
func (c *frameClient) next(t *testing.T, id uint32) http2.Frame {
	t.Helper()
	for {
		frame, err := c.ReadFrame()
		testkit.NoError(t, err)
		switch frame.(type) {
		case *http2.SettingsFrame, *http2.WindowUpdateFrame, *http2.PingFrame:
			continue
		}
		if id == 0 || frame.Header().StreamID == id {
			return frame
		}
	}
}

func (c *frameClient) get(id uint32, path string) {
	c.write(id, true, ":method", "GET", ":scheme", "http", ":authority", "x", ":path", path)
}

// An answer that ran out of its time is cut, and not taken for a whole one.
func TestAnswersBehindTheirDeadlineAreReset(t *testing.T) {
	addr := serveH2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		control.Flush()
		control.SetWriteDeadline(time.Unix(1, 0))
		io.WriteString(w, "lost")
	}), Config{})
	c := dialFrames(t, addr)
	c.get(1, "/")
	if got := c.status(t); got != "200" {
		t.Fatal(got)
	}
	if frame, ok := c.next(t, 1).(*http2.RSTStreamFrame); !ok || frame.ErrCode != http2.ErrCodeInternal {
		t.Errorf("%v", frame)
	}
}

// An early answer is sent whole, however late its client takes it.
func TestEarlyAnswersAreNotCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bridge := &Bridge{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })}
		ours, theirs := net.Pipe()
		defer ours.Close()
		s := new(Group).Server(theirs, Config{Accept: bridge.Accept})
		go s.Serve()
		io.WriteString(ours, Preface)
		c := framesOn(ours)
		frames := make(chan string, 20)
		go func() {
			for {
				frame, err := c.ReadFrame()
				if err != nil {
					return
				}
				switch frame := frame.(type) {
				case *http2.DataFrame:
					frames <- fmt.Sprintf("%s %v", frame.Data(), frame.StreamEnded())
				case *http2.RSTStreamFrame:
					frames <- frame.ErrCode.String()
				}
			}
		}()
		c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		c.open(1, ":method", "POST", ":scheme", "http", ":authority", "x", ":path", "/")
		time.Sleep(time.Minute)
		c.WriteWindowUpdate(1, 100)
		began := time.Now()
		if got := <-frames; got != "hello true" {
			t.Errorf("first %s", got)
		}
		if got := <-frames; got != "NO_ERROR" || time.Since(began) != lingerTime {
			t.Errorf("then %s after %v", got, time.Since(began))
		}
	})
}

// What needs no window waits for none, and streams that have ended leave nothing behind.
func TestEndsPassWhereTheWindowIsUsedUp(t *testing.T) {
	var session atomic.Pointer[Session]
	addr := serveH2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		switch r.URL.Path {
		case "/large":
			w.Write(make([]byte, 1<<20))
		case "/trailer":
			control.Flush()
			w.Header().Set(http.TrailerPrefix+"X-Sum", "0")
		default:
			control.Flush()
		}
	}), Config{StateChanged: func(s *Session) { session.Store(s) }})
	c := dialFrames(t, addr)
	c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	c.get(1, "/large")
	for left := defaultWindow; left > 0; {
		if data, ok := c.next(t, 1).(*http2.DataFrame); ok {
			left -= len(data.Data())
		}
	}
	for i, path := range []string{"/empty", "/trailer"} {
		id := uint32(3 + 2*i)
		c.get(id, path)
		for ended := false; !ended; {
			switch frame := c.next(t, id).(type) {
			case *http2.MetaHeadersFrame:
				ended = frame.StreamEnded()
			case *http2.DataFrame:
				ended = frame.StreamEnded()
			}
		}
	}
	for id := uint32(7); id < 27; id += 2 {
		c.get(id, "/large")
		if c.next(t, id).Header().Type != http2.FrameHeaders {
			t.Fatal("no answer")
		}
		c.WriteRSTStream(id, http2.ErrCodeCancel)
	}
	testkit.Eventually(t, "the streams that were reset are forgotten", func() bool {
		s := session.Load()
		s.group.mu.Lock()
		defer s.group.mu.Unlock()
		return len(s.turns.list) <= 1 && s.streams.len() == 1
	})
}

// The head is what it was when it was written, as it is with net/http.
func TestHeadsAreThoseOfWriteHeader(t *testing.T) {
	addr := serveH2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Method == http.MethodHead {
			w.Write(make([]byte, 10_000))
			return
		}
		h.Set("Trailer", "X-Sum")
		io.WriteString(w, "whole")
		h.Set("X-Sum", "5")
		h.Set("X-Late", "yes")
		http.NewResponseController(w).Flush()
		w.WriteHeader(http.StatusEarlyHints)
	}), Config{})
	c := dialFrames(t, addr)
	c.get(1, "/")
	head, ok := c.next(t, 1).(*http2.MetaHeadersFrame)
	if text := fmt.Sprint(head.Fields); !ok || strings.Contains(text, "x-sum =") || strings.Contains(text, "x-late") {
		t.Errorf("%v", text)
	}
	if data, ok := c.next(t, 1).(*http2.DataFrame); !ok || string(data.Data()) != "whole" {
		t.Errorf("%v", data)
	}
	if trailer, ok := c.next(t, 1).(*http2.MetaHeadersFrame); !ok || !trailer.StreamEnded() || len(trailer.Fields) != 1 || trailer.Fields[0].Name != "x-sum" {
		t.Errorf("%v", trailer)
	}
	c.write(3, true, ":method", "HEAD", ":scheme", "http", ":authority", "x", ":path", "/")
	if head := c.next(t, 3).(*http2.MetaHeadersFrame); strings.Contains(fmt.Sprint(head.Fields), "content-length") {
		t.Errorf("a HEAD of unknown length: %v", head.Fields)
	}
}

// A client that breaks the rules and reads nothing is cut off.
func TestBreachesEndConnectionsThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bridge := &Bridge{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1<<20)) })}
		ours, theirs := net.Pipe()
		defer ours.Close()
		s := new(Group).Server(theirs, Config{Accept: bridge.Accept})
		ended := make(chan error)
		go func() { ended <- s.Serve() }()
		io.WriteString(ours, Preface)
		c := framesOn(ours)
		c.get(1, "/")
		synctest.Wait()
		began := time.Now()
		c.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, []byte("abc"))
		if err := <-ended; !errors.As(err, new(ConnError)) || time.Since(began) > 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// What came before a deadline is read behind it.
func TestDeadlinesLeaveWhatHasCome(t *testing.T) {
	got := make(chan string, 1)
	sent := make(chan struct{})
	addr := serveH2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first := make([]byte, 1)
		io.ReadFull(r.Body, first)
		http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
		rest, err := io.ReadAll(r.Body)
		got <- fmt.Sprintf("%s%s %v", first, rest, errors.Is(err, os.ErrDeadlineExceeded))
		<-sent
	}), Config{})
	c := dialFrames(t, addr)
	c.open(1, ":method", "POST", ":scheme", "http", ":authority", "x", ":path", "/")
	c.WriteData(1, false, []byte("what came"))
	if text := <-got; text != "what came true" {
		t.Error(text)
	}
	close(sent)
}
