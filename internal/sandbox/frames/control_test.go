package frames

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// streams hands the streams of a server to the test, and keeps them open until
// they end.
func streams() (*Server, chan *Stream) {
	came := make(chan *Stream, 100)
	return &Server{Handler: func(s *Stream) {
		came <- s
		<-s.Context().Done()
	}}, came
}

func TestGoAwayLetsStreamsFinish(t *testing.T) {
	s, came := streams()
	r := dial(t, s)
	r.request(1, true)
	first := <-came
	first.Conn().GoAway(http2.ErrCodeNo, "the hour is over")
	if f := expect[*http2.GoAwayFrame](r); f.LastStreamID != 1 || f.ErrCode != http2.ErrCodeNo || string(f.DebugData()) != "the hour is over" {
		t.Errorf("%v last %d %q", f, f.LastStreamID, f.DebugData())
	}
	r.request(3, true) // too late: ignored
	r.wantAlive()
	first.Head(200, nil, false)
	first.Data([]byte("the rest"), true)
	r.wantStatus(1, "200")
	if f := expect[*http2.DataFrame](r); string(f.Data()) != "the rest" || !f.StreamEnded() {
		t.Errorf("%v", f)
	}
	if f, err := r.ReadFrame(); err != io.EOF {
		t.Errorf("after the last stream: %v %v", f, err)
	}
}

func TestGoAwayAsNetHTTPSeesIt(t *testing.T) {
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).Flush()
		FromContext(r.Context()).Conn().GoAway(http2.ErrCodeNo, "")
		io.Copy(w, r.Body)
	})
	c := newClient(t)
	for range 3 {
		answer, err := c.Post(url, "", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if answer.Body.Close(); err != nil || string(text) != "body" {
			t.Errorf("%q %v", text, err)
		}
	}
}

func TestGoAwayLastDropsStreams(t *testing.T) {
	s, came := streams()
	r := dial(t, s)
	r.request(1, true)
	r.request(3, false)
	first, second := <-came, <-came
	if first.ID() > second.ID() {
		first, second = second, first
	}
	first.Conn().GoAwayLast(1, http2.ErrCodeEnhanceYourCalm, "")
	<-second.Context().Done()
	if err := second.Head(200, nil, true); err == nil {
		t.Error("a dropped stream was answered")
	}
	r.WriteData(3, true, []byte("still sent"))
	if f := expect[*http2.GoAwayFrame](r); f.LastStreamID != 1 || f.ErrCode != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("%v", f)
	}
	r.wantAlive()
	first.Head(200, nil, true)
	r.wantStatus(1, "200")
	if f, err := r.ReadFrame(); err != io.EOF {
		t.Errorf("after the last stream: %v %v", f, err)
	}
}

func TestGoAwayInTwoSteps(t *testing.T) {
	s, came := streams()
	r := dial(t, s)
	r.request(1, true)
	first := <-came
	first.Conn().GoAwayLast(maxWindow, http2.ErrCodeNo, "")
	expect[*http2.GoAwayFrame](r)
	first.Head(204, nil, true)
	r.wantStatus(1, "204")
	r.request(3, true) // idle in between, but it was promised
	second := <-came
	second.Conn().GoAway(http2.ErrCodeNo, "")
	if f := expect[*http2.GoAwayFrame](r); f.LastStreamID != 3 {
		t.Errorf("last stream %d", f.LastStreamID)
	}
	second.Head(204, nil, true)
	r.wantStatus(3, "204")
}

func TestResetCodes(t *testing.T) {
	for _, code := range []http2.ErrCode{http2.ErrCodeInternal, http2.ErrCodeCancel, http2.ErrCodeEnhanceYourCalm, 0xabc} {
		url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).Flush()
			FromContext(r.Context()).Reset(code)
			if err := http.NewResponseController(w).Flush(); err == nil {
				t.Error("writing after the reset")
			}
		})
		answer, err := newClient(t).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(answer.Body)
		answer.Body.Close()
		var reset http2.StreamError
		if !errors.As(err, &reset) || reset.Code != code {
			t.Errorf("%v: %v", code, err)
		}
	}
}

func TestPanicsResetTheStream(t *testing.T) {
	var logged bytes.Buffer
	s := &Server{ErrorLog: log.New(&logged, "", 0), Handler: func(s *Stream) {
		switch s.ID() {
		case 1:
			panic(http.ErrAbortHandler)
		case 3:
			s.Head(200, nil, false)
			panic("a bug")
		}
	}}
	r := dial(t, s)
	for id := uint32(1); id <= 5; id += 2 {
		r.request(id, true)
		r.wantReset(id, http2.ErrCodeInternal) // of stream 5 the handler said nothing
	}
	if !strings.Contains(logged.String(), "a bug") || strings.Contains(logged.String(), "abort") {
		t.Error(logged.String())
	}
}

func TestUnwantedUploadIsReset(t *testing.T) {
	r := dial(t, &Server{Handler: func(s *Stream) { s.Head(403, nil, true) }})
	r.request(1, false)
	r.wantStatus(1, "403")
	r.wantReset(1, http2.ErrCodeNo)
	r.WriteData(1, false, []byte("on its way"))
	r.WriteWindowUpdate(1, 100)
	r.fields(1, true, "x-trailer", "late")
	r.wantAlive()
}

func TestCloseCuts(t *testing.T) {
	why := errors.New("the cable was cut")
	caused := make(chan error, 1)
	r := dial(t, &Server{Handler: func(s *Stream) {
		s.Head(200, nil, false)
		s.Data([]byte("half of i"), false)
		s.Conn().Close(why)
		caused <- context.Cause(s.Context())
	}})
	r.request(1, true)
	r.wantStatus(1, "200")
	expect[*http2.DataFrame](r)
	f, err := r.ReadFrame()
	if err == nil || err == io.EOF {
		t.Errorf("%v %v; want a reset", f, err)
	}
	if err := <-caused; !errors.Is(err, why) {
		t.Error(err)
	}
}

func TestContextEndsConnections(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, came := streams()
	nc, wait := pipe(t, ctx, s)
	r := newRaw(t, nc)
	r.sendPreface()
	r.request(1, true)
	<-came
	cancel()
	wait()
}

func TestOneDataFramePerFlush(t *testing.T) {
	gone := make(chan bool)
	r := dial(t, &Server{Handler: HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		for _, size := range []int{1, 4096, 4097, 16384} {
			w.Write(make([]byte, size))
			control.Flush()
		}
		io.WriteString(w, "two")
		io.WriteString(w, "three")
		w.Write(make([]byte, 5000))
		control.Flush()
		close(gone)
	}))})
	r.request(1, true)
	for _, want := range []int{1, 4096, 4097, 16384, 5008, 0} {
		if f := expect[*http2.DataFrame](r); len(f.Data()) != want || f.StreamEnded() != (want == 0) {
			t.Errorf("%v, want %d bytes", f, want)
		}
	}
	<-gone
}

func TestHeadIsSplitIntoContinuations(t *testing.T) {
	long := strings.Repeat("~", 50_000)
	r := dial(t, &Server{Handler: func(s *Stream) { s.Head(200, []hpack.HeaderField{{Name: "x-long", Value: long}}, true) }})
	r.request(1, true)
	f := expect[*http2.MetaHeadersFrame](r)
	if f.Fields[1].Value != long {
		t.Error("not what was sent")
	}
}

func TestStalledReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, came := streams()
		nc, _ := pipe(t, t.Context(), s)
		r := newRaw(t, nc)
		r.sendPreface()
		r.request(1, true)
		conn := (<-came).Conn()
		conn.StallReads(true)
		go io.Copy(io.Discard, nc)
		go r.request(3, true)
		synctest.Wait()
		select {
		case s := <-came:
			t.Errorf("stream %d came", s.ID())
		default:
		}
		conn.StallReads(false)
		<-came
	})
}

func TestStalledWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, came := streams()
		nc, _ := pipe(t, t.Context(), s)
		r := newRaw(t, nc)
		r.sendPreface()
		r.request(1, true)
		first := <-came
		var heard atomic.Int32
		go func() {
			for {
				f, err := r.ReadFrame()
				if err != nil {
					return
				}
				if kind := f.Header().Type; kind == http2.FramePing || kind == http2.FrameHeaders {
					heard.Add(1)
				}
			}
		}()
		first.Conn().StallWrites(true)
		answered := make(chan error, 1)
		go func() { answered <- first.Head(200, nil, true) }()
		r.WritePing(false, [8]byte{2})
		synctest.Wait()
		if heard.Load() != 0 || len(answered) != 0 {
			t.Error("something was written")
		}
		first.Conn().StallWrites(false)
		synctest.Wait()
		if err := <-answered; err != nil || heard.Load() != 2 {
			t.Error(err, heard.Load())
		}
	})
}

func TestStalledWritesBeforeTheFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := streams()
		s.ConnStart = func(c *Conn) { c.StallWrites(true) }
		ended := make(chan *Conn, 1)
		s.ConnEnd = func(c *Conn) { ended <- c }
		nc, wait := pipe(t, t.Context(), s)
		io.WriteString(nc, http2.ClientPreface)
		http2.NewFramer(nc, nil).WriteSettings()
		nc.SetReadDeadline(time.Now().Add(time.Hour))
		if n, err := nc.Read(make([]byte, 1)); n > 0 {
			t.Error("something was written", err)
		}
		nc.Close()
		wait()
		if c := <-ended; c.ID() != 1 || context.Cause(c.Context()) == nil {
			t.Errorf("connection %d", c.ID())
		}
	})
}

func TestFlushWaitsForTheBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, came := streams()
		nc, _ := pipe(t, t.Context(), s)
		r := newRaw(t, nc)
		r.sendPreface()
		r.request(1, true)
		conn := (<-came).Conn()
		conn.GoAway(http2.ErrCodeNo, "")
		flushed := make(chan error, 1)
		go func() { flushed <- conn.Flush() }()
		synctest.Wait()
		if len(flushed) != 0 {
			t.Error("nothing was read yet")
		}
		expect[*http2.GoAwayFrame](r)
		if err := <-flushed; err != nil {
			t.Error(err)
		}
	})
}

func TestActivity(t *testing.T) {
	var frames atomic.Int32
	s, came := streams()
	s.Activity = func(*Conn) { frames.Add(1) }
	r := dial(t, s)
	r.request(1, true)
	<-came
	r.wantAlive()
	if frames.Load() != 4 { // SETTINGS, its ACK, HEADERS, PING
		t.Errorf("%d frames", frames.Load())
	}
}

// An answer is one head, a body and an end, whatever its handler tries.
func TestAnswersInDisorder(t *testing.T) {
	r := dial(t, &Server{Handler: func(s *Stream) {
		trailer := []hpack.HeaderField{{Name: "x-trailer", Value: "1"}}
		for what, got := range map[string][2]error{
			"data first":    {s.Data(nil, false), errNoHead},
			"end first":     {s.End(trailer), errNoHead},
			"a head":        {s.Head(200, nil, false), nil},
			"a second head": {s.Head(200, nil, false), errHeadSent},
			"1xx after it":  {s.Head(103, nil, false), errHeadSent},
			"the end":       {s.End(trailer), nil},
			"data after it": {s.Data(nil, false), errEnded},
			"a second end":  {s.End(trailer), errEnded},
		} {
			if got[0] != got[1] {
				t.Errorf("%s: %v", what, got[0])
			}
		}
		if err := s.Reset(http2.ErrCodeCancel); err != errEnded {
			t.Error(err)
		}
	}})
	r.request(1, true)
	r.wantStatus(1, "200")
	if f := expect[*http2.MetaHeadersFrame](r); !f.StreamEnded() || f.Fields[0].Name != "x-trailer" {
		t.Errorf("%v", f)
	}
	r.wantAlive()
}

func TestOldStreamsAreForgotten(t *testing.T) {
	var c closedStreams
	for id := range uint32(2 * maxRemembered) {
		c.remember(id, finished)
	}
	if len(c.how) != maxRemembered || c.how[0] != forgotten || c.how[2*maxRemembered-1] != finished {
		t.Error(len(c.how))
	}
}

// The reader may hold frames that came before the writer found the client gone.
func TestNothingOpensAfterTheEnd(t *testing.T) {
	s, _ := streams()
	nc, peer := net.Pipe()
	defer peer.Close()
	c := newConn(t.Context(), s, nc)
	c.end(net.ErrClosed)
	c.mu.Lock()
	defer c.mu.Unlock()
	get := []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/"}}
	if err := c.open(headerBlock{id: 1, fields: get}); err == nil || len(c.streams) > 0 {
		t.Errorf("%v, %d streams", err, len(c.streams))
	}
}
