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

// flush sends what was collected. Nothing else is written meanwhile.
func (c *gatherConn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering = false
	_, err := c.Conn.Write(c.out)
	c.out = c.out[:0]
	return err
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
	if sent := c.below.flush(); err == nil {
		err = sent
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
