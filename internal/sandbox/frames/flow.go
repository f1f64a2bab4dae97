package frames

import (
	"golang.org/x/net/http2"
)

// Limits of RFC 9113 sections 6.5.2 and 6.9.
const (
	initialWindow   = 65535
	maxWindow       = 1<<31 - 1
	minMaxFrameSize = 1 << 14
	headerTableSize = 4096
)

// minUpdate is the smallest increment of a WINDOW_UPDATE that is sent.
const minUpdate = 4096

// A window is how many bytes may still be sent. A change of
// SETTINGS_INITIAL_WINDOW_SIZE can make it negative (RFC 9113 section 6.9.2).
type window int64

// grow refuses what would exceed the largest window.
func (w *window) grow(n int64) bool {
	if int64(*w)+n > maxWindow {
		return false
	}
	*w += window(n)
	return true
}

// An inflow is a receive window.
type inflow struct {
	window   int64
	consumed int64 // bytes read by the handler, but not returned to the window yet
}

func (f *inflow) use(n int64) bool {
	if n > f.window {
		return false
	}
	f.window -= n
	return true
}

// setInitialWindow applies the client's SETTINGS_INITIAL_WINDOW_SIZE.
func (c *Conn) setInitialWindow(size int64) error {
	change := size - c.outInitial
	c.outInitial = size
	for _, s := range c.streams {
		if !s.out.grow(change) {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
	}
	c.changed.Broadcast()
	return nil
}

// onWindowUpdate enlarges a send window.
func (c *Conn) onWindowUpdate(f *http2.WindowUpdateFrame) error {
	defer c.changed.Broadcast()
	s, open := c.streams[f.StreamID]
	switch {
	case f.StreamID == 0 && !c.outWindow.grow(int64(f.Increment)):
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	case f.StreamID != 0 && c.idle(f.StreamID):
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case open && !s.out.grow(int64(f.Increment)):
		return streamError(f.StreamID, http2.ErrCodeFlowControl)
	}
	return nil
}

// onData handles a frame of a request's body. Flow control counts its padding too.
func (c *Conn) onData(f *http2.DataFrame) error {
	size := int64(f.Length)
	if !c.inWindow.use(size) {
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	s, err := c.receiver(f.StreamID)
	if s != nil {
		err = s.receive(f.Data(), size, f.StreamEnded())
	}
	if s == nil || err != nil {
		c.credit(&c.inWindow, 0, size)
	}
	return err
}

// credit returns n bytes to a receive window, of the connection if id is 0.
func (c *Conn) credit(f *inflow, id uint32, n int64) {
	f.consumed += n
	if f.consumed < minUpdate {
		return
	}
	increment := f.consumed
	f.window, f.consumed = f.window+increment, 0
	c.control(func(w *http2.Framer) { w.WriteWindowUpdate(id, uint32(increment)) })
}

// credit returns n bytes to the receive windows of the stream and the connection.
func (s *Stream) credit(n int64) {
	if s.bodyErr == nil {
		s.conn.credit(&s.in, s.id, n)
	}
	s.conn.credit(&s.conn.inWindow, 0, n)
}

// claim waits until the windows allow some of n bytes, and returns how many.
func (s *Stream) claim(n int) (int, error) {
	c := s.conn
	for {
		if err := s.writable(true); err != nil || n == 0 {
			return 0, err
		}
		allowed := min(int64(s.out), int64(c.outWindow), int64(c.maxFrame), int64(n))
		if allowed > 0 {
			s.out -= window(allowed)
			c.outWindow -= window(allowed)
			return int(allowed), nil
		}
		c.changed.Wait()
	}
}
