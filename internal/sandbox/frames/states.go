package frames

import (
	"golang.org/x/net/http2"
)

// A closing is how a stream was closed, which decides what a late frame means
// (RFC 9113 section 5.1).
type closing int

const (
	forgotten closing = iota // or never opened
	finished                 // both sides sent END_STREAM
	cancelled                // the client reset it
	discarded                // the server reset or dropped it: the client may not know yet
)

// closedStreams holds how the last closed streams were closed.
type closedStreams struct {
	how   map[uint32]closing
	order []uint32
}

const maxRemembered = 1000

func (c *closedStreams) remember(id uint32, how closing) {
	if c.how == nil {
		c.how = map[uint32]closing{}
	}
	c.how[id] = how
	if c.order = append(c.order, id); len(c.order) > maxRemembered {
		delete(c.how, c.order[0])
		c.order = c.order[1:]
	}
}

func streamError(id uint32, code http2.ErrCode) error {
	return http2.StreamError{StreamID: id, Code: code}
}

// idle reports whether the client has not opened a stream yet. It can never open one with
// an even number.
func (c *Conn) idle(id uint32) bool { return id > c.lastID || id%2 == 0 }

// receiver returns the stream if its client may still send. Otherwise it returns nil, and
// an error unless the frame is to be ignored.
func (c *Conn) receiver(id uint32) (*Stream, error) {
	s, open := c.streams[id]
	switch {
	case open && s.bodyErr == nil:
		return s, nil
	case c.idle(id):
		return nil, http2.ConnectionError(http2.ErrCodeProtocol)
	case !open && c.closed.how[id] == discarded:
		return nil, nil
	default:
		return nil, streamError(id, http2.ErrCodeStreamClosed)
	}
}

// onReset handles the client's RST_STREAM.
func (c *Conn) onReset(f *http2.RSTStreamFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle(f.StreamID) {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if s, open := c.streams[f.StreamID]; open {
		s.fail(http2.StreamError{StreamID: f.StreamID, Code: f.ErrCode, Cause: errByClient}, cancelled)
	}
	return nil
}

// refuse answers a stream error with RST_STREAM. An idle stream cannot be reset, so its
// error is one of the connection.
func (c *Conn) refuse(e http2.StreamError) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle(e.StreamID) {
		return http2.ConnectionError(e.Code)
	}
	c.control(func(f *http2.Framer) { f.WriteRSTStream(e.StreamID, e.Code) })
	if s, open := c.streams[e.StreamID]; open {
		s.fail(e, discarded)
	} else if c.closed.how[e.StreamID] == forgotten {
		c.closed.remember(e.StreamID, discarded)
	}
	return nil
}
