package frames

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
)

// linger is how long a connection that was told goodbye may stay, so that the
// client reads the goodbye instead of a TCP reset.
const linger = time.Second

// lastServed is the last stream that was or will be served.
func (c *Conn) lastServed() uint32 {
	if c.goneAway {
		return min(c.promised, c.lastID)
	}
	return c.lastID
}

func (c *Conn) goAway(last uint32, code http2.ErrCode, debug string) {
	c.control(func(f *http2.Framer) { f.WriteGoAway(last, code, []byte(debug)) })
	c.goneAway, c.promised = true, last
	for id, s := range c.streams {
		if id > last {
			s.fail(fmt.Errorf("stream %d was dropped by GOAWAY", id), discarded)
		}
	}
	c.closeIfIdle()
}

// breakOff ends all streams, and the connection when the GOAWAY is written.
func (c *Conn) breakOff(code http2.ConnectionError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var reason []byte
	if detail := c.in.ErrorDetail(); detail != nil {
		reason = []byte(detail.Error())
	}
	c.control(func(f *http2.Framer) { f.WriteGoAway(c.lastServed(), http2.ErrCode(code), reason) })
	c.goneAway, c.promised = true, 0
	for _, s := range c.streams {
		s.fail(code, discarded)
	}
	c.close()
}

// closeIfIdle closes a connection on which nothing that was promised is left.
func (c *Conn) closeIfIdle() {
	if c.goneAway && c.promised <= c.lastID && len(c.streams) == 0 {
		c.close()
	}
}

// close lets the writer finish, and gives it and the client a moment to do so.
func (c *Conn) close() {
	if c.closing || c.err != nil {
		return
	}
	c.closing = true
	c.nc.SetDeadline(time.Now().Add(linger))
	c.out.ready.Signal()
	c.progress.Broadcast()
}

// end closes the connection at once and tells everybody.
func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(err)
}

func (c *Conn) endLocked(err error) {
	if c.err != nil {
		return
	}
	if err == nil || errors.Is(err, io.EOF) { // which would look like the end of a body
		err = net.ErrClosed
	}
	c.err = fmt.Errorf("connection %d ended: %w", c.id, err)
	for _, s := range c.streams {
		s.fail(c.err, discarded)
	}
	c.cancel(c.err)
	c.out.ready.Signal()
	c.progress.Broadcast()
	innermost(c.nc).Close() // TLS would wait for the client to take its close_notify
}

func innermost(nc net.Conn) net.Conn {
	for inner := below(nc); inner != nil; inner = below(nc) {
		nc = inner
	}
	return nc
}

// below returns what a wrapper such as *tls.Conn wraps, or nil.
func below(nc net.Conn) net.Conn {
	if wrapper, ok := nc.(interface{ NetConn() net.Conn }); ok {
		return wrapper.NetConn()
	}
	return nil
}
