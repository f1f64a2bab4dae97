package h2

import "encoding/binary"

// Windows (RFC 9113 section 5.2). A stream may send us streamWindow bytes to begin with,
// and up to maxStreamWindow where what it sends is taken as fast as it comes. What the
// streams of a connection may send beyond streamWindow is maxExtra at most, together. The
// connection's own window is given back as DATA comes: if it were not, a few streams that
// nobody reads would hold up all others. So a connection holds streamWindow for each stream,
// and maxExtra, at most.
const (
	streamWindow    = 64 << 10
	maxStreamWindow = 1 << 20
	maxExtra        = 8 << 20
	maxServerExtra  = 1 << 20 // for what clients upload
	connWindow      = 16 << 20
)

// mostExtra is how much more than streamWindow all streams together may send.
func (s *Session) mostExtra() int {
	if s.server {
		return maxServerExtra
	}
	return maxExtra
}

// onWindowUpdate is RFC 9113 section 6.9.
func (s *Session) onWindowUpdate(f *frame) error {
	if len(f.payload) != 4 {
		return ConnError{FrameSizeError, "WINDOW_UPDATE"}
	}
	n := int64(binary.BigEndian.Uint32(f.payload) & maxWindow)
	if f.stream == 0 {
		if n == 0 || s.window+n > maxWindow {
			return ConnError{flowCode(n), "the connection's window"}
		}
		s.window += n
		s.touch()
		return nil
	}
	st := s.streams.get(f.stream)
	if st == nil {
		if s.isIdle(f.stream) {
			return ConnError{ProtocolError, "WINDOW_UPDATE on an idle stream"}
		}
		return s.futile() // it has ended meanwhile
	}
	if n == 0 || st.window+n > maxWindow {
		return streamError{st.id, flowCode(n), "the stream's window"}
	}
	st.window += n
	st.takeTurn()
	return nil
}

func flowCode(n int64) ErrCode {
	if n == 0 {
		return ProtocolError
	}
	return FlowControlError
}

// widen changes the windows of all streams, which may become negative (RFC 9113 section
// 6.9.2).
func (s *Session) widen(delta int64) error {
	for st := range s.streams.all {
		if st.window += delta; st.window > maxWindow {
			return ConnError{FlowControlError, "a stream's window"}
		}
		st.takeTurn()
	}
	return nil
}

// receive counts n bytes of DATA, padding included, that came in.
func (s *Session) receive(n int) error {
	if s.allowed -= int64(n); s.allowed < 0 {
		return ConnError{FlowControlError, "more DATA than the connection's window"}
	}
	if owed := connWindow - s.allowed; owed >= connWindow/4 {
		s.allowed = connWindow
		s.out = appendWindowUpdate(s.out, 0, int(owed))
		s.touch()
	}
	return nil
}

// receive counts n bytes of DATA that came in on the stream.
func (st *Stream) receive(n int) error {
	if st.allowed -= n; st.allowed < 0 {
		return streamError{st.id, FlowControlError, "more DATA than the stream's window"}
	}
	return nil
}

// Credit says that the other end has taken n bytes of what came in on the stream.
func (st *Stream) Credit(n int) {
	if st.inEnded || st.gone {
		return
	}
	st.taken += n
	st.flowed += n
	st.grow()
	if st.taken >= st.limit/2 {
		st.allowed += st.taken
		st.s.out = st.s.framing.AppendCredit(st.s.out, st, st.taken)
		st.s.touch()
		st.taken = 0
	}
}

// grow doubles the window when two windows have passed while next to nothing waited.
func (st *Stream) grow() {
	if st.limit >= maxStreamWindow || st.flowed < 2*st.limit {
		return
	}
	st.flowed = 0
	waits := st.limit - st.allowed - st.taken
	if waits > st.limit/4 || st.s.extra+st.limit > st.s.mostExtra() {
		return
	}
	st.s.extra += st.limit
	st.taken += st.limit
	st.limit *= 2
}

func appendWindowUpdate(out []byte, id uint32, n int) []byte {
	return binary.BigEndian.AppendUint32(appendFrameHead(out, 4, frameWindowUpdate, 0, id), uint32(n))
}
