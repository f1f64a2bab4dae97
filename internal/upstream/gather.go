package upstream

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// A gatherConn is below TLS. It collects the records of one write, which TLS would send one
// by one.
type gatherConn struct {
	net.Conn
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
	if !c.gathering {
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
// written meanwhile.
func (c *gatherConn) flush() (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering = false
	n, err = c.Conn.Write(c.out)
	c.out = c.out[:0]
	return n, err
}

// A tlsConn is a connection over TLS whose writes go out at once.
type tlsConn struct {
	*tls.Conn
	below *gatherConn
}

// Write implements [net.Conn].
func (c tlsConn) Write(p []byte) (int, error) {
	c.below.gather()
	n, err := c.Conn.Write(p)
	sent, failed := c.below.flush()
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
