package frames

import (
	"bytes"
	"io"
	"testing"

	"golang.org/x/net/http2"
)

// sends answers with a body of n bytes.
func sends(n int) *Server {
	return &Server{Handler: func(s *Stream) {
		s.Head(200, nil, false)
		s.Data(make([]byte, n), true)
	}}
}

func initial(size uint32) http2.Setting {
	return http2.Setting{ID: http2.SettingInitialWindowSize, Val: size}
}

func (r *raw) wantData(size int, end bool) {
	r.t.Helper()
	if f := expect[*http2.DataFrame](r); len(f.Data()) != size || f.StreamEnded() != end {
		r.t.Errorf("%v, want %d bytes, end %v", f, size, end)
	}
}

func TestSendingWaitsForTheStreamsWindow(t *testing.T) {
	r := dial(t, sends(30), initial(10))
	r.request(1, true)
	r.wantData(10, false)
	r.wantAlive()
	r.WriteWindowUpdate(1, 5)
	r.wantData(5, false)
	r.WriteSettings(initial(12)) // 2 more for streams that are open
	r.wantData(2, false)
	r.WriteSettings(initial(0)) // 12 less than nothing
	r.WriteWindowUpdate(1, 12)
	r.wantAlive()
	r.WriteWindowUpdate(1, 13)
	r.wantData(13, true)
}

func TestSendingWaitsForTheConnectionsWindow(t *testing.T) {
	r := dial(t, sends(initialWindow+1), initial(maxWindow))
	r.request(1, true)
	for range 3 {
		r.wantData(minMaxFrameSize, false)
	}
	r.wantData(minMaxFrameSize-1, false)
	r.WriteWindowUpdate(1, 1<<20-1) // of the stream: does not help. And too much: see below
	r.wantReset(1, http2.ErrCodeFlowControl)
	r.WriteWindowUpdate(0, 1)
	r.wantAlive()
}

func TestLargeFramesForThoseWhoTakeThem(t *testing.T) {
	r := dial(t, sends(60_000), http2.Setting{ID: http2.SettingMaxFrameSize, Val: 60_000})
	r.request(1, true)
	r.wantData(60_000, true)
}

func TestWindowsThatAreTooLarge(t *testing.T) {
	s, _ := streams()
	r := dial(t, s)
	r.request(1, true)
	r.WriteWindowUpdate(1, maxWindow)
	r.wantReset(1, http2.ErrCodeFlowControl)
	r.request(3, true)
	r.WriteWindowUpdate(3, 0)
	r.wantReset(3, http2.ErrCodeProtocol)
	r.WriteWindowUpdate(0, maxWindow)
	r.wantGoAway(http2.ErrCodeFlowControl)
}

func TestWindowOfAnIdleStream(t *testing.T) {
	s, _ := streams()
	r := dial(t, s)
	r.WriteWindowUpdate(7, 1)
	r.wantGoAway(http2.ErrCodeProtocol)
}

func TestWindowIsGivenBackAsItIsRead(t *testing.T) {
	s, came := streams()
	r := dial(t, s)
	r.request(1, false)
	stream := <-came
	for range 3 {
		r.WriteData(1, false, make([]byte, minMaxFrameSize))
	}
	r.WriteDataPadded(1, false, make([]byte, minMaxFrameSize-12), make([]byte, 10))
	r.wantAlive() // the padding alone is not worth it
	io.ReadFull(stream, make([]byte, minUpdate-11))
	if f := expect[*http2.WindowUpdateFrame](r); f.StreamID != 1 || f.Increment != minUpdate {
		t.Errorf("%v", f)
	}
	r.WriteData(1, false, make([]byte, minUpdate+1))
	r.wantReset(1, http2.ErrCodeFlowControl)
}

func TestConnectionsWindow(t *testing.T) {
	s, came := streams()
	s.InitialWindowSize = maxWindow
	r := dial(t, s)
	if f := expect[*http2.WindowUpdateFrame](r); f.StreamID != 0 || f.Increment != connWindow-initialWindow {
		t.Errorf("%v", f)
	}
	r.request(1, false)
	stream := <-came
	for range 104 {
		r.WriteData(1, false, bytes.Repeat([]byte("."), 10_000))
	}
	r.wantAlive() // all has arrived
	io.ReadFull(stream, make([]byte, 5000))
	if f := expect[*http2.WindowUpdateFrame](r); f.StreamID != 1 && f.StreamID != 0 {
		t.Errorf("%v", f)
	}
	stream.Reset(http2.ErrCodeCancel) // what was not read is given back with it
	if f := expect[*http2.RSTStreamFrame](r); f.StreamID != 1 {
		t.Errorf("%v", f)
	}
	if f := expect[*http2.WindowUpdateFrame](r); f.StreamID != 0 || f.Increment != 1_035_000 {
		t.Errorf("%v", f)
	}
	r.request(3, false)
	for range 105 {
		r.WriteData(3, false, make([]byte, 10_000))
	}
	r.wantGoAway(http2.ErrCodeFlowControl)
}
