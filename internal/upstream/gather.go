package upstream

import (
	"crypto/tls"
	"net"
	"sync"
	"time"

	"avsproxy/internal/netconn"
)

// A gatherConn is below TLS. It collects the records of one write, which TLS would send one
// by one.
type gatherConn struct {
	net.Conn
	now       netconn.WriteNow // to it; nil = it has none
	mu        sync.Mutex
	gathering bool
	out       []byte
}

// NetConn returns the connection below.
func (c *gatherConn) NetConn() net.Conn { return c.Conn }

// Write implements [net.Conn].
func (c *gatherConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gathering && len(c.out) == 0 {
		return c.Conn.Write(p)
	}
	c.out = append(c.out, p...)
	return len(p), nil
}

func (c *gatherConn) gather() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering = true
}

// flush sends what was collected, and returns how much of it went out. Nothing else is
// written meanwhile. What a write leaves behind [netconn.ErrFull] goes out with the next.
func (c *gatherConn) flush(write func([]byte) (int, error)) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering = false
	n, err = write(c.out)
	left := 0
	if err == netconn.ErrFull {
		left = copy(c.out, c.out[n:])
	}
	c.out = c.out[:left]
	return n, err
}

// A tlsConn is a connection over TLS whose writes go out at once.
type tlsConn struct {
	*tls.Conn
	below *gatherConn
}

// newTLSConn is for a connection of dialTLS.
func newTLSConn(conn *tls.Conn) tlsConn { return tlsConn{conn, conn.NetConn().(*gatherConn)} }

// Write implements [net.Conn].
func (c tlsConn) Write(p []byte) (int, error) { return c.write(p, c.below.Conn.Write) }

// WriteNow is for [netconn.WriteNowOf].
func (c tlsConn) WriteNow() netconn.WriteNow {
	if c.below.now == nil {
		return nil
	}
	return func(p []byte) (int, error) {
		n, err := c.write(p, c.below.now)
		if err == netconn.ErrFull {
			n = len(p)
		}
		return n, err
	}
}

func (c tlsConn) write(p []byte, below func([]byte) (int, error)) (n int, err error) {
	c.below.gather()
	if len(p) > 0 {
		n, err = c.Conn.Write(p)
	}
	sent, failed := c.below.flush(below)
	if err == nil && failed != nil {
		n, err = min(n, sent), failed
	}
	return n, err
}

// closeTimeout bounds the close_notify of TLS: a dead connection may have no room for it.
const closeTimeout = 250 * time.Millisecond

// Close implements [net.Conn].
func (c tlsConn) Close() error {
	sever := time.AfterFunc(closeTimeout, func() { c.below.Close() })
	defer sever.Stop()
	return c.Conn.Close()
}
