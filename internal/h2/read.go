package h2

import (
	"errors"
	"io"
	"slices"
	"time"
)

// read takes what comes until the connection has ended, and returns what was not taken, and why
// it has.
func (s *Session) read() (rest []byte, err error) {
	if s.server && !s.config.PrefaceRead {
		if err := s.readPreface(); err != nil {
			return nil, err
		}
	}
	in := &input{conn: s.conn}
	defer in.free()
	for {
		if err := in.more(); err != nil {
			return slices.Clone(in.bytes()), s.ended(s.takeEnd(err))
		}
		used, err := s.process(in.bytes(), in.large != nil)
		in.skip(used)
		if err != nil {
			return slices.Clone(in.bytes()), err
		}
	}
}

// ended says how the connection ended where reading failed: nil error values of both sides'
// goodbyes stay io.EOF.
func (s *Session) ended(err error) error {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	switch {
	case s.closing && s.streams.len() == 0:
		return io.EOF
	case errors.Is(err, io.EOF) && s.streams.len() > 0:
		return io.ErrUnexpectedEOF
	}
	s.wellIdle = errors.Is(err, io.EOF)
	return err
}

func (s *Session) readPreface() error {
	got := make([]byte, len(Preface))
	if n, err := io.ReadFull(s.conn, got); err != nil {
		return err
	} else if string(got[:n]) != Preface {
		return ConnError{ProtocolError, "not the preface of HTTP/2"}
	}
	return nil
}

// process takes what it can of p, and returns how many bytes that is.
func (s *Session) process(p []byte, large bool) (used int, err error) {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	defer s.group.flush()
	s.group.awaitRoom()
	s.group.gathers = true
	if reading := 0; large != (s.reading > 0) {
		if large {
			reading = largeRead
		}
		s.countReading(reading)
	}
	if s.err != nil { // writing failed
		return 0, s.err
	}
	s.group.now = time.Now()
	s.lastRead = s.group.now
	for {
		n, err := s.framing.Take(p[used:])
		if used += n; err != nil {
			return used, err
		}
		if !s.blocked || used == len(p) {
			break
		}
		if s.group.flush(); s.blocked && s.err == nil {
			s.unblocked.Wait()
		}
		if s.err != nil {
			return used, s.err
		}
		s.group.gathers = true
	}
	if large && used == len(p) && len(p) < smallRead { // the reader gives its buffer back
		s.countReading(0)
	}
	return used, nil
}

// Take implements [Framing]: it takes all whole frames.
func (s *framed) Take(p []byte) (used int, err error) {
	for {
		f, size, length := parseFrame(p[used:])
		if length > maxPayload {
			return used, ConnError{FrameSizeError, "a frame that is too large"}
		}
		if size == 0 {
			return used, nil
		}
		used += size
		if err := (*Session)(s).take(&f, length); err != nil {
			return used, err
		}
	}
}

// take takes one frame. Errors of streams end these.
func (s *Session) take(f *frame, length int) error {
	if !s.peer.mentioned && f.kind != frameSettings {
		return ConnError{ProtocolError, "the first frame is not SETTINGS"}
	}
	if s.block.open() && (f.kind != frameContinuation || f.stream != s.block.stream) {
		return ConnError{ProtocolError, "another frame within a block of fields"}
	}
	err := s.dispatch(f, length)
	if err == nil {
		return nil
	}
	var broken streamError
	if errors.As(err, &broken) {
		return s.breakStream(broken)
	}
	return err
}

func (s *Session) dispatch(f *frame, length int) error {
	switch f.kind {
	case frameData:
		return s.onData(f, length)
	case frameHeaders:
		return s.onHeaders(f)
	case frameContinuation:
		return s.onContinuation(f)
	case framePriority:
		return s.onPriority(f)
	case frameRSTStream:
		return s.onReset(f)
	case frameSettings:
		return s.onSettings(f)
	case framePushPromise:
		return ConnError{ProtocolError, "a push that nobody asked for"}
	case framePing:
		return s.onPing(f)
	case frameGoAway:
		return s.onGoAway(f)
	case framePriorityUpdate:
		return s.onPriorityUpdate(f)
	case frameWindowUpdate:
		return s.onWindowUpdate(f)
	}
	return s.futile() // unknown frames mean nothing (RFC 9113 section 5.5)
}

// breakStream ends a stream whose other side broke the rules.
func (s *Session) breakStream(broken streamError) error {
	st := s.streams.get(broken.id)
	if st == nil {
		return s.refuseStream(broken.id, broken.code)
	}
	end := st.end
	st.Reset(broken.code)
	if end != nil {
		end.Reset(&ResetError{Code: broken.code, ByUs: true})
	}
	return s.wasteful()
}

// isIdle reports whether a stream was never opened.
func (s *Session) isIdle(id uint32) bool { return id > s.last || id%2 == 0 }

// onData is RFC 9113 section 6.1.
func (s *Session) onData(f *frame, length int) error {
	if f.stream == 0 {
		return ConnError{ProtocolError, "DATA without a stream"}
	}
	if err := f.unpad(); err != nil {
		return err
	}
	if err := s.receive(length); err != nil {
		return err
	}
	st := s.streams.get(f.stream)
	switch {
	case st == nil && s.isIdle(f.stream):
		return ConnError{ProtocolError, "DATA on an idle stream"}
	case st == nil && len(f.payload) > 0 && (!s.server || s.resets.has(f.stream)):
		return nil // it was under way when we reset the stream
	case st == nil:
		return s.onClosed(f.stream)
	case st.inEnded:
		return streamError{f.stream, StreamClosed, "DATA behind the end"}
	case !s.server && !st.headIn:
		return streamError{f.stream, ProtocolError, "DATA before the head"}
	}
	if err := st.receive(length); err != nil {
		return err
	}
	fin := f.has(flagEndStream)
	if err := st.countBody(len(f.payload), fin); err != nil {
		return err
	}
	if padding := length - len(f.payload); padding > 0 {
		st.Credit(padding)
	}
	if len(f.payload) == 0 && !fin {
		return s.futile()
	}
	st.inEnded = fin
	st.end.Data(f.payload, fin)
	if fin {
		st.endIfDone()
	}
	return nil
}

// countBody compares a body with its Content-Length (RFC 9113 section 8.1.1).
func (st *Stream) countBody(n int, fin bool) error {
	if st.rest < 0 || st.noBody && n == 0 {
		return nil
	}
	st.rest -= int64(n)
	if st.rest < 0 || fin && st.rest > 0 {
		st.rest = -1
		return streamError{st.id, ProtocolError, "a body that is not as long as its content-length"}
	}
	return nil
}

// onClosed is about DATA and HEADERS on a stream that has ended: they may have been under
// way when we reset it (RFC 9113 section 5.1).
func (s *Session) onClosed(id uint32) error {
	if !s.server || s.resets.has(id) {
		return s.futile()
	}
	return ConnError{StreamClosed, "a frame behind the end of its stream"}
}

// onPriority is for what RFC 9113 section 5.3.2 has deprecated.
func (s *Session) onPriority(f *frame) error {
	switch {
	case f.stream == 0:
		return ConnError{ProtocolError, "PRIORITY without a stream"}
	case len(f.payload) != 5:
		return streamError{f.stream, FrameSizeError, "PRIORITY"}
	case dependsOn(f.payload) == f.stream:
		return streamError{f.stream, ProtocolError, "a stream that depends on itself"}
	}
	return s.futile()
}

// onReset is RFC 9113 section 6.4.
func (s *Session) onReset(f *frame) error {
	switch {
	case f.stream == 0:
		return ConnError{ProtocolError, "RST_STREAM without a stream"}
	case len(f.payload) != 4:
		return ConnError{FrameSizeError, "RST_STREAM"}
	case s.isIdle(f.stream):
		return ConnError{ProtocolError, "RST_STREAM on an idle stream"}
	}
	st := s.streams.get(f.stream)
	if st == nil {
		return s.futile()
	}
	code := ErrCode(uint32(f.payload[0])<<24 | uint32(f.payload[1])<<16 | uint32(f.payload[2])<<8 | uint32(f.payload[3]))
	answered := st.outEnded // early, so that the client gives up its upload
	st.close(&ResetError{Code: code, Unprocessed: !s.server && code == RefusedStream})
	if s.server && !answered {
		return s.wasteful()
	}
	return nil
}
