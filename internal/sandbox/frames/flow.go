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
	window    window
	consumed  int64 // bytes read by the handler, but not returned to the window yet
	threshold int64 // consumed bytes from which a WINDOW_UPDATE is sent
}

func newInflow(size int64) inflow {
	return inflow{window: window(size), threshold: max(1, min(4096, size/2))}
}

func (f *inflow) use(n int64) bool {
	if n > int64(f.window) {
		return false
	}
	f.window -= window(n)
	return true
}

// takeUpdate returns the increment of the WINDOW_UPDATE that is due, or 0.
func (f *inflow) takeUpdate() uint32 {
	if f.consumed < f.threshold {
		return 0
	}
	increment := f.consumed
	f.window += window(increment)
	f.consumed = 0
	return uint32(increment)
}

// A connFlow is the flow control of a connection.
type connFlow struct {
	in         inflow
	inInitial  int64 // of new streams
	out        window
	outInitial int64 // of new streams
	maxFrame   int   // the largest frame that the client accepts
}

// newConnFlow gives streams at least the default window until the client has acknowledged
// a smaller one.
func newConnFlow(s *Server) connFlow {
	return connFlow{
		in:         newInflow(int64(s.connWindow())),
		inInitial:  max(int64(s.streamWindow()), initialWindow),
		out:        initialWindow,
		outInitial: initialWindow,
		maxFrame:   minMaxFrameSize,
	}
}

// acknowledged applies our settings to the streams that are already open.
func (c *Conn) acknowledged() {
	change := int64(c.server.streamWindow()) - c.flow.inInitial
	for _, s := range c.streams {
		s.in.window += window(change)
	}
	c.flow.inInitial += change
}

// setInitialWindow applies the client's SETTINGS_INITIAL_WINDOW_SIZE.
func (c *Conn) setInitialWindow(size int64) error {
	change := size - c.flow.outInitial
	c.flow.outInitial = size
	for _, s := range c.streams {
		if !s.out.grow(change) {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
	}
	c.progress.Broadcast()
	return nil
}

// onWindowUpdate enlarges a send window.
func (c *Conn) onWindowUpdate(f *http2.WindowUpdateFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.progress.Broadcast()
	if f.StreamID == 0 {
		if !c.flow.out.grow(int64(f.Increment)) {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		return nil
	}
	s, open := c.streams[f.StreamID]
	switch {
	case c.idle(f.StreamID):
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case open && !s.out.grow(int64(f.Increment)):
		return streamError(f.StreamID, http2.ErrCodeFlowControl)
	}
	return nil
}

// onData handles a frame of a request's body. Flow control counts its padding too.
func (c *Conn) onData(f *http2.DataFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := int64(f.Length)
	if !c.flow.in.use(size) {
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	s, err := c.receiver(f.StreamID)
	if s != nil {
		err = s.receive(f.Data(), size, f.StreamEnded())
	}
	if s == nil || err != nil {
		c.creditWindow(size)
	}
	return err
}

// creditWindow returns n bytes to the connection's receive window.
func (c *Conn) creditWindow(n int64) {
	c.flow.in.consumed += n
	if increment := c.flow.in.takeUpdate(); increment > 0 {
		c.control(func(f *http2.Framer) { f.WriteWindowUpdate(0, increment) })
	}
}

// creditWindow returns n bytes to the receive windows of the stream and the connection.
func (s *Stream) creditWindow(n int64) {
	s.in.consumed += n
	s.sendUpdate()
	s.conn.creditWindow(n)
}

func (s *Stream) sendUpdate() {
	if s.bodyStalled || s.bodyErr != nil {
		return
	}
	if increment := s.in.takeUpdate(); increment > 0 {
		s.conn.control(func(f *http2.Framer) { f.WriteWindowUpdate(s.id, increment) })
	}
}

// claim waits until the windows allow some of n bytes, and returns how many.
func (s *Stream) claim(n int) (int, error) {
	c := s.conn
	for {
		if err := s.writable(); err != nil || n == 0 {
			return 0, err
		}
		allowed := min(int64(s.out), int64(c.flow.out), int64(c.flow.maxFrame), int64(n))
		if allowed > 0 {
			s.out -= window(allowed)
			c.flow.out -= window(allowed)
			return int(allowed), nil
		}
		c.progress.Wait()
	}
}
