package frames

import (
	"cmp"
	"errors"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

var (
	errEnded    = errors.New("the answer has ended")
	errHeadSent = errors.New("the answer has a head")
	errNoHead   = errors.New("the answer has no head")
)

// Head sends the status and the fields, unchanged and in order: names must be lower case.
// With end there is no body. Many heads with a status of 1xx may come before the one of the
// answer. Like Data and End, Head returns when the frames are written.
func (s *Stream) Head(status int, fields []hpack.HeaderField, end bool) error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if err := s.writable(false); err != nil {
		return err
	}
	s.headSent = status >= 200
	all := append([]hpack.HeaderField{{Name: ":status", Value: strconv.Itoa(status)}}, fields...)
	return s.headers(all, end)
}

// Data sends a part of the body in one DATA frame, or in more if the windows or the
// client's largest frame require it. It waits for the windows.
func (s *Stream) Data(p []byte, end bool) error {
	for {
		n, err := s.dataFrame(p, end)
		p = p[n:]
		if err != nil || len(p) == 0 {
			return err
		}
	}
}

func (s *Stream) dataFrame(p []byte, end bool) (int, error) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	n, err := s.claim(len(p))
	if err != nil {
		return 0, err
	}
	last := end && n == len(p)
	s.conn.out.framer.WriteData(s.id, last, p[:n])
	return n, s.sent(last)
}

// End ends the answer, with the fields of its trailer if there are any.
func (s *Stream) End(trailer []hpack.HeaderField) error {
	if len(trailer) == 0 {
		return s.Data(nil, true)
	}
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if err := s.writable(true); err != nil {
		return err
	}
	return s.headers(trailer, true)
}

// Reset ends the stream with RST_STREAM. It does not wait. On a stream that has ended it
// does nothing and returns why it ended.
func (s *Stream) Reset(code http2.ErrCode) error {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.closed {
		return cmp.Or(s.err, errEnded)
	}
	c.control(func(f *http2.Framer) { f.WriteRSTStream(s.id, code) })
	s.fail(http2.StreamError{StreamID: s.id, Code: code, Cause: errByServer}, discarded)
	return nil
}

// finish ends an answer whose handler has returned, and asks the client to stop sending
// (RFC 9113 section 8.1).
func (s *Stream) finish() {
	if s.End(nil) != errNoHead {
		s.Reset(http2.ErrCodeNo)
	}
}

// writable returns why the stream cannot send what comes before its head, or behind it. nil
// means that it can.
func (s *Stream) writable(behindHead bool) error {
	switch {
	case s.err != nil:
		return s.err
	case s.ended, s.conn.closing:
		return errEnded
	case s.headSent && !behindHead:
		return errHeadSent
	case !s.headSent && behindHead:
		return errNoHead
	}
	return nil
}

func (s *Stream) headers(fields []hpack.HeaderField, end bool) error {
	s.conn.out.headers(s.id, fields, end, s.conn.maxFrame)
	return s.sent(end)
}

// sent updates the state after a frame, and waits until the frame is written: a client
// that does not read slows down its own streams.
func (s *Stream) sent(last bool) error {
	if last {
		s.ended = true
		s.closeIfDone()
	}
	return s.conn.awaitWrite(func() error { return cmp.Or(s.err, s.conn.err) })
}
