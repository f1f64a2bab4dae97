package listen

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
)

// peeked is a connection whose first byte was read ahead; Read gives it first. Raw reads through SyscallConn or
// NetConn miss that byte.
type peeked struct {
	net.Conn
	first   byte
	pending atomic.Bool
}

// Read returns the byte alone: waiting for more could hold it back for ever.
func (c *peeked) Read(p []byte) (int, error) {
	if c.pending.Load() && len(p) > 0 && c.pending.CompareAndSwap(true, false) {
		p[0] = c.first
		return 1, nil
	}
	return c.Conn.Read(p)
}

// NetConn returns the connection as it was accepted.
func (c *peeked) NetConn() net.Conn { return c.Conn }

// stream is what a TCP and a unix connection can do besides.
type stream interface {
	CloseWrite() error
	syscall.Conn
}

type (
	peekedStream struct {
		*peeked
		stream
	}
	// peekedTCP lets net/http send files by sendfile(2).
	peekedTCP struct {
		peekedStream
		io.ReaderFrom
	}
)

// unread gives back a byte that was read from c, and keeps what c can do.
func unread(c net.Conn, first byte) net.Conn {
	p := &peeked{Conn: c, first: first}
	p.pending.Store(true)
	s, ok := c.(stream)
	if !ok {
		return p
	}
	if from, ok := c.(io.ReaderFrom); ok {
		return peekedTCP{peekedStream{p, s}, from}
	}
	return peekedStream{p, s}
}
