package h2

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/testkit"

	"golang.org/x/net/http2"
)

// A loggingTap lets all pass as it is, and writes down what it hears.
type loggingTap struct {
	mu     sync.Mutex
	heard  []string
	failed func(*ResetError)
}

func (l *loggingTap) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, fmt.Sprintf(format, args...))
}

// await waits for the last thing that is heard.
func (l *loggingTap) await(t *testing.T, last string) {
	t.Helper()
	testkit.Eventually(t, last, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return slices.Contains(l.heard, last)
	})
}

func (l *loggingTap) RequestData(p []byte) { l.note("up %d", len(p)) }
func (l *loggingTap) RequestEnd(trailer Fields) Fields {
	l.note("request ends, %d", len(trailer))
	return trailer
}
func (l *loggingTap) RequestReset(err *ResetError)  { l.note("request reset, %v", err.Code) }
func (l *loggingTap) RequestBroken(err *ResetError) { l.note("request broken, %v", err.Code) }
func (l *loggingTap) Interim(h *Head) Fields        { return withStatus(h) }
func (l *loggingTap) Answer(h *Head, fin bool) (Fields, bool) {
	l.note("answer %d %t", h.Status, fin)
	return withStatus(h), true
}
func (l *loggingTap) AnswerData(p []byte) { l.note("down %d", len(p)) }
func (l *loggingTap) AnswerEnd(trailer Fields) Fields {
	l.note("answer ends, %d", len(trailer))
	return trailer
}
func (l *loggingTap) Failed(err *ResetError) { l.note("failed, %v", err.Code); l.failed(err) }
func (l *loggingTap) Ended(err *ResetError, clientGone bool) {
	l.note("ended, %t %t", err == nil, clientGone)
}

func withStatus(h *Head) Fields {
	return append(Fields{{Name: ":status", Value: fmt.Sprint(h.Status)}}, h.Fields...)
}

// A relayRig is a client and an upstream that speak frames, with relays between them.
type relayRig struct {
	*loggingTap
	client   *frameClient
	upstream *frameClient
	session  *Session // to the upstream
	relays   chan *Relay
}

// newRelayRig starts each relay at once, unless parked is set.
func newRelayRig(t *testing.T, parked bool) *relayRig {
	t.Helper()
	var group Group
	near, far := tcpPair(t)
	rig := &relayRig{loggingTap: &loggingTap{failed: func(*ResetError) {}}, relays: make(chan *Relay, 10)}
	rig.session = group.Client(near, Config{})
	go rig.session.Serve()
	testkit.Must(io.ReadFull(far, make([]byte, len(Preface))))(t)
	rig.upstream = framesOn(far)
	<-rig.session.Settled()
	front, client := tcpPair(t)
	accept := func(st *Stream, h *Head, fin bool) {
		r := new(Relay)
		st.Relay(r, fin, rig.loggingTap)
		if !parked {
			testkit.NoError(t, rig.start(r))
		}
		rig.relays <- r
	}
	server := group.Server(front, Config{Accept: accept})
	go server.Serve()
	t.Cleanup(func() { server.Close(); rig.session.Close() })
	io.WriteString(client, Preface)
	rig.client = framesOn(client)
	return rig
}

func (rig *relayRig) start(r *Relay) error {
	return r.Start(rig.session, Fields{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "u"}, {Name: ":path", Value: "/"}}, false, false)
}

func tcpPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	ln := testkit.Listen(t)
	accepted := make(chan net.Conn)
	go func() {
		conn, _ := ln.Accept()
		accepted <- conn
	}()
	a = testkit.Dial(t, ln.Addr().String())
	b = <-accepted
	for _, conn := range []net.Conn{a, b} {
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { conn.Close() })
	}
	return a, b
}

func (rig *relayRig) post(id uint32) {
	rig.client.open(id, ":method", "POST", ":scheme", "http", ":authority", "x", ":path", "/")
}

// script reads a stream's frames up to its end.
func (c *frameClient) script(t *testing.T, id uint32) (all []string) {
	t.Helper()
	for {
		frame := c.next(t, id)
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			all = append(all, fmt.Sprintf("HEADERS %s%d %t", f.PseudoValue("status"), len(f.RegularFields()), f.StreamEnded()))
		case *http2.DataFrame:
			all = append(all, fmt.Sprintf("DATA %d %t", len(f.Data()), f.StreamEnded()))
		case *http2.RSTStreamFrame:
			return append(all, "RST "+f.ErrCode.String())
		}
		if frame.Header().Flags.Has(http2.FlagDataEndStream) && frame.Header().Type != http2.FrameRSTStream {
			return all
		}
	}
}

// Frames pass in their sizes and in their order, also those that came before the relay could
// start.
func TestRelaysKeepFrames(t *testing.T) {
	for _, parked := range []bool{false, true} {
		rig := newRelayRig(t, parked)
		rig.post(1)
		sizes := []int{1, 16000, 300, 2, 2}
		for _, n := range sizes {
			rig.client.WriteDataPadded(1, false, make([]byte, n), make([]byte, n%3))
		}
		rig.client.write(1, true, "sum", "1")
		if parked {
			r := <-rig.relays
			rig.await(t, "request ends, 1")
			r.Locked(func() { testkit.NoError(t, rig.start(r)) })
		}
		want := []string{"HEADERS 0 false", "DATA 1 false", "DATA 16000 false", "DATA 300 false", "DATA 2 false", "DATA 2 false", "HEADERS 1 true"}
		if got := rig.upstream.script(t, 1); !slices.Equal(got, want) {
			t.Errorf("parked %t, the upstream gets %v", parked, got)
		}
		rig.upstream.write(1, false, ":status", "103", "link", "x")
		rig.upstream.write(1, false, ":status", "200", "a", "b")
		for _, n := range sizes {
			rig.upstream.WriteData(1, false, make([]byte, n))
		}
		rig.upstream.write(1, true, "grpc-status", "0", "x", "y")
		want = slices.Concat([]string{"HEADERS 1031 false", "HEADERS 2001 false"}, want[1:6], []string{"HEADERS 2 true"})
		if got := rig.client.script(t, 1); !slices.Equal(got, want) {
			t.Errorf("parked %t, the client gets %v", parked, got)
		}
		rig.await(t, "ended, true false")
	}
}

// A name may begin with any byte of a token.
func TestFieldsAreFoundByTheirNames(t *testing.T) {
	for _, name := range []string{"a", "_x", "^x", "~x", "!x", "x-y"} {
		f := Fields{{Name: "x"}, {Name: name, Value: "v"}}
		if !f.Has(strings.ToUpper(name)) || len(f.Values(name)) != 1 {
			t.Errorf("%s is not found", name)
		}
		if f.Del(name); len(f) != 1 {
			t.Errorf("%s is still there", name)
		}
	}
}

// The priority that a client gives to a request passes (RFC 9218), also before the relay could
// start.
func TestRelaysPassPriorities(t *testing.T) {
	for _, parked := range []bool{false, true} {
		rig := newRelayRig(t, parked)
		rig.post(1)
		update := func(id byte, text string) {
			testkit.NoError(t, rig.client.WriteRawFrame(framePriorityUpdate, 0, 0, append([]byte{0, 0, 0, id}, text...)))
		}
		update(1, "u=1, i")
		update(3, "u=7") // of no stream yet
		update(1, "\x00")
		rig.client.WriteData(1, true, []byte("body"))
		if parked {
			r := <-rig.relays
			rig.await(t, "request ends, 0")
			r.Locked(func() { testkit.NoError(t, rig.start(r)) })
		}
		var got []string
		for len(got) == 0 || got[len(got)-1] != "DATA" {
			switch f := testkit.Must(rig.upstream.ReadFrame())(t).(type) {
			case *http2.PriorityUpdateFrame:
				got = append(got, fmt.Sprint(f.PrioritizedStreamID, " ", f.Priority))
			case *http2.DataFrame:
				got = append(got, "DATA")
			}
		}
		if !slices.Equal(got, []string{"1 u=1, i", "DATA"}) {
			t.Errorf("parked %t: the upstream gets %q", parked, got)
		}
	}
}

func TestRelaysPassResets(t *testing.T) {
	for _, code := range []http2.ErrCode{http2.ErrCodeCancel, http2.ErrCodeNo, http2.ErrCodeEnhanceYourCalm, 0x1234} {
		rig := newRelayRig(t, false)
		rig.post(1)
		rig.upstream.next(t, 1)
		rig.client.WriteRSTStream(1, code)
		want := code.String()
		if code == http2.ErrCodeNo {
			want = "CANCEL" // the request is not whole
		}
		if got := rig.upstream.script(t, 1); !slices.Equal(got, []string{"RST " + want}) {
			t.Errorf("%v: the upstream gets %v", code, got)
		}
		rig.await(t, "ended, true true")
		rig.post(3)
		rig.upstream.next(t, 3)
		rig.upstream.write(3, false, ":status", "200")
		rig.upstream.WriteData(3, false, []byte("before the reset"))
		rig.upstream.WriteRSTStream(3, code)
		if code == http2.ErrCodeNo {
			want = "INTERNAL_ERROR" // the answer is not whole
		}
		if got := rig.client.script(t, 3); !slices.Equal(got, []string{"HEADERS 2000 false", "DATA 16 false", "RST " + want}) {
			t.Errorf("%v: the client gets %v", code, got)
		}
		rig.await(t, "ended, false false")
	}
}

// The client's window is given back as the upstream takes what came.
func TestRelaysHoldNoMoreThanWindows(t *testing.T) {
	rig := newRelayRig(t, false)
	rig.post(1)
	for range 4 {
		rig.client.WriteData(1, false, make([]byte, 16384))
	}
	rig.upstream.next(t, 1) // the head
	got := 0
	for got < defaultWindow { // of the upstream's stream, which gives back nothing
		got += len(rig.upstream.next(t, 1).(*http2.DataFrame).Data())
	}
	rig.client.WritePing(false, [8]byte{})
	given := 0
	for {
		frame := testkit.Must(rig.client.ReadFrame())(t)
		if f, ok := frame.(*http2.WindowUpdateFrame); ok && f.StreamID == 1 {
			given += int(f.Increment)
		}
		if f, ok := frame.(*http2.PingFrame); ok && f.IsAck() {
			break
		}
	}
	if given > got || got != defaultWindow {
		t.Errorf("the client was given %d more, the upstream took %d", given, got)
	}
}

// An answer that is whole ends its request (RFC 9113 section 8.1). The client does not lose it
// over that.
func TestRelaysEndARequestWithItsAnswer(t *testing.T) {
	rig := newRelayRig(t, false)
	rig.post(1)
	rig.upstream.next(t, 1)
	rig.upstream.write(1, true, ":status", "413")
	if got := rig.client.script(t, 1); !slices.Equal(got, []string{"HEADERS 4130 true"}) {
		t.Errorf("the client gets %v", got)
	}
	if got := rig.upstream.script(t, 1); !slices.Equal(got, []string{"RST NO_ERROR"}) {
		t.Errorf("the upstream gets %v", got)
	}
	rig.await(t, "ended, true false")
	rig.client.WriteData(1, false, make([]byte, 100))
	if got := rig.client.script(t, 1); !slices.Equal(got, []string{"RST NO_ERROR"}) {
		t.Errorf("then the client gets %v", got)
	}
}

// Who takes a request over reads it from its first byte, and the answer that has come.
func TestRelaysAreHandedOver(t *testing.T) {
	rig := newRelayRig(t, false)
	bridge := &Bridge{}
	var relay *Relay
	rig.failed = func(*ResetError) {
		head := &Head{Method: "POST", Scheme: "http", Authority: "x", Path: "/p", Length: -1, Fields: []Field{{Name: "a", Value: "b"}}}
		relay.HandOver(bridge, head, nil, false, func(w http.ResponseWriter, r *http.Request, _ *http.Response) {
			body, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %s %s %v %s", r.Method, r.URL.Path, r.Header.Get("A"), body, err, r.Trailer.Get("Sum"))
		})
	}
	rig.post(1)
	relay = <-rig.relays
	rig.client.WriteData(1, false, []byte("one,"))
	rig.upstream.next(t, 1)
	rig.upstream.next(t, 1)
	rig.upstream.WriteRSTStream(1, http2.ErrCodeRefusedStream)
	rig.await(t, "failed, REFUSED_STREAM")
	rig.client.WriteData(1, false, []byte("two"))
	rig.client.write(1, true, "sum", "3")
	var text strings.Builder
	for {
		frame := rig.client.next(t, 1)
		if f, ok := frame.(*http2.DataFrame); ok {
			text.Write(f.Data())
		}
		if frame.Header().Flags.Has(http2.FlagDataEndStream) {
			break
		}
	}
	if got := text.String(); got != "POST /p b one,two <nil> 3" {
		t.Errorf("%q", got)
	}
	bridge.Wait()
}

// A head that net/http does not take ends the exchange with the hand-over.
func TestARelayThatCannotBeHandedOverEnds(t *testing.T) {
	rig := newRelayRig(t, true)
	rig.post(1)
	r := <-rig.relays
	r.Locked(func() { r.HandOver(&Bridge{}, &Head{Method: "GET", Path: "/\x01"}, nil, false, nil) })
	if got := rig.client.script(t, 1); !slices.Equal(got, []string{"RST INTERNAL_ERROR"}) {
		t.Errorf("the client gets %v", got)
	}
	rig.await(t, "ended, false false")
}

// Padding makes the window larger than what is kept: a request that waits is not sent with a
// hole in it.
func TestARequestThatWaitsIsNotCutShort(t *testing.T) {
	rig := newRelayRig(t, true)
	rig.post(1)
	<-rig.relays
	go func() {
		for range 6000 {
			if rig.client.WriteDataPadded(1, false, []byte("x"), make([]byte, 255)) != nil {
				return
			}
		}
		for range 10 {
			rig.client.WriteData(1, false, make([]byte, 16000))
		}
	}()
	if got := rig.client.script(t, 1); len(got) != 1 || got[0] != "RST ENHANCE_YOUR_CALM" && got[0] != "RST FLOW_CONTROL_ERROR" {
		t.Errorf("the client gets %v", got)
	}
}
