package upstream

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"

	"avsproxy/internal/netconn"
)

// An answer of HTTP/1.1 without a length ends with its connection, and anybody on
// the way can end that. TLS has a goodbye against it, close_notify (RFC 8446 section
// 6.1, RFC 9112 section 9.8), but crypto/tls takes the end of the connection for one.
// So that end is noted below TLS, where only one without a goodbye is ever read.

// An eofConn connection is below TLS and knows whether it has ended.
type eofConn struct {
	net.Conn
	ended atomic.Bool
}

// Read implements [net.Conn]. An end that comes together with bytes is none yet: the
// goodbye may be among them.
func (c *eofConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 && err == io.EOF {
		c.ended.Store(true)
	}
	return n, err
}

// detectTruncation returns a connection of HTTP/1.1 whose end is [io.ErrUnexpectedEOF]
// where there was no goodbye. Answers that tell their length are not read so far.
// HTTP/2, which knows the end of each stream, has its own *tls.Conn back.
func detectTruncation(conn *tls.Conn) net.Conn {
	below, noted := netconn.As[*eofConn](conn.NetConn())
	if !noted || conn.ConnectionState().NegotiatedProtocol == "h2" {
		return conn
	}
	return &truncationConn{newTLSConn(conn), below}
}

type truncationConn struct {
	tlsConn
	below *eofConn
}

// Read implements [net.Conn].
func (c *truncationConn) Read(p []byte) (int, error) {
	n, err := c.tlsConn.Read(p)
	if err == io.EOF && c.below.ended.Load() {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
