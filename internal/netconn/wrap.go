// Package netconn wraps connections so that what they can do is not lost, and finds
// a connection inside its wrappers.
package netconn

import (
	"bytes"
	"io"
	"net"
	"syscall"
)

// A Wrapper is a connection that changes some methods of the connection inside it.
type Wrapper interface {
	net.Conn
	NetConn() net.Conn // the connection inside
}

// As returns the first connection that is a T: conn itself, or one inside it, as long
// as each has a method NetConn, as [crypto/tls.Conn] does.
func As[T any](conn net.Conn) (found T, ok bool) {
	for {
		if found, ok = conn.(T); ok {
			return found, true
		}
		wrapper, wraps := conn.(interface{ NetConn() net.Conn })
		if !wraps {
			return found, false
		}
		conn = wrapper.NetConn()
	}
}

type (
	// stream has the further methods of TCP and unix connections.
	stream interface {
		CloseWrite() error
		syscall.Conn
	}
	// tcp has those of TCP connections: net/http sends files with ReadFrom.
	tcp interface {
		stream
		io.ReaderFrom
		SetLinger(seconds int) error
	}
	streamConn struct {
		Wrapper
		stream
	}
	tcpConn struct {
		Wrapper
		tcp
	}
)

// NetConn returns the wrapper, so that As finds it.
func (c streamConn) NetConn() net.Conn { return c.Wrapper }

// NetConn returns the wrapper, so that As finds it.
func (c tcpConn) NetConn() net.Conn { return c.Wrapper }

// Keep returns w with CloseWrite, SyscallConn, ReadFrom and SetLinger, where the
// connection inside it has them.
func Keep(w Wrapper) net.Conn {
	switch inside := w.NetConn().(type) {
	case tcp:
		return tcpConn{w, inside}
	case stream:
		return streamConn{w, inside}
	}
	return w
}

// prefixConn is a connection of which some bytes were read already.
type prefixConn struct {
	net.Conn
	reader io.Reader
}

// Prepend returns conn with Read giving prefix first, and alone: to wait for more could
// hold it back. SyscallConn and NetConn do not give it. Read is for one goroutine at a
// time, as net/http and crypto/tls call it.
func Prepend(conn net.Conn, prefix []byte) net.Conn {
	return Keep(&prefixConn{conn, io.MultiReader(bytes.NewReader(prefix), conn)})
}

// Read implements [net.Conn].
func (c *prefixConn) Read(p []byte) (int, error) { return c.reader.Read(p) }

// NetConn returns the connection as it was.
func (c *prefixConn) NetConn() net.Conn { return c.Conn }
