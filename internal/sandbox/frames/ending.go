package frames

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
)

// closeTimeout is how long a closing connection may stay open, so that the client reads
// the GOAWAY instead of a TCP reset.
const closeTimeout = time.Second

// lastServed is the last stream that was or will be served.
func (c *Conn) lastServed() uint32 {
	if c.goAwaySent {
		return min(c.goAwayLast, c.lastID)
	}
	return c.lastID
}

func (c *Conn) goAway(last uint32, code http2.ErrCode, debug string) {
	c.control(func(f *http2.Framer) { f.WriteGoAway(last, code, []byte(debug)) })
	c.goAwaySent, c.goAwayLast = true, last
	for id, s := range c.streams {
		if id > last {
			s.fail(fmt.Errorf("stream %d was dropped by GOAWAY", id), discarded)
		}
	}
	c.closeIfIdle()
}

// closeWithError ends all streams, and the connection when the GOAWAY is written.
func (c *Conn) closeWithError(code http2.ConnectionError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	reason := ""
	if detail := c.in.ErrorDetail(); detail != nil {
		reason = detail.Error()
	}
	c.goAway(c.lastServed(), http2.ErrCode(code), reason)
	for _, s := range c.streams {
		s.fail(code, discarded)
	}
}

// closeIfIdle closes a connection after GOAWAY, if no stream is left to serve.
func (c *Conn) closeIfIdle() {
	if c.goAwaySent && c.goAwayLast <= c.lastID && len(c.streams) == 0 {
		c.close()
	}
}

// close lets the writer finish, within closeTimeout.
func (c *Conn) close() {
	if c.closing || c.err != nil {
		return
	}
	c.closing = true
	c.nc.SetDeadline(time.Now().Add(closeTimeout))
	c.changed.Broadcast()
}

// end closes the connection at once, and wakes all that wait for it.
func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(err)
}

func (c *Conn) endLocked(err error) {
	if c.err != nil {
		return
	}
	if err == nil || errors.Is(err, io.EOF) { // io.EOF would look like the end of a body
		err = net.ErrClosed
	}
	c.err = fmt.Errorf("connection %d ended: %w", c.id, err)
	for _, s := range c.streams {
		s.fail(c.err, discarded)
	}
	c.cancel(c.err)
	c.changed.Broadcast()
	innermost(c.nc).Close() // TLS would wait for the client to take its close_notify
}

func innermost(nc net.Conn) net.Conn {
	for inner := unwrap(nc); inner != nil; inner = unwrap(nc) {
		nc = inner
	}
	return nc
}

// unwrap returns the connection inside a wrapper such as *tls.Conn, or nil.
func unwrap(nc net.Conn) net.Conn {
	if wrapper, ok := nc.(interface{ NetConn() net.Conn }); ok {
		return wrapper.NetConn()
	}
	return nil
}
