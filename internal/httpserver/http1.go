package httpserver

import (
	"crypto/tls"
	"net"
	"net/http"

	"avsproxy/internal/httpexchange"
	"avsproxy/internal/netconn"
)

// An http1Conn is a connection of HTTP/1.x for net/http, whose requests are followed.
type http1Conn struct {
	net.Conn
	requests headReader
}

// Read implements [net.Conn]; net/http does it on one goroutine at a time.
func (c *http1Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.requests.read(p[:n])
	return n, err
}

// NetConn returns the connection below.
func (c *http1Conn) NetConn() net.Conn { return c.Conn }

// A secureHTTP1Conn has the methods of TLS that net/http looks for.
type secureHTTP1Conn struct {
	*http1Conn
	secure *tls.Conn
}

// NetConn returns the http1Conn.
func (c *secureHTTP1Conn) NetConn() net.Conn { return c.http1Conn }

// ConnectionState is that of TLS.
func (c *secureHTTP1Conn) ConnectionState() tls.ConnectionState { return c.secure.ConnectionState() }

// CloseWrite is that of TLS.
func (c *secureHTTP1Conn) CloseWrite() error { return c.secure.CloseWrite() }

// forHTTP1 wraps a connection whose TLS handshake is done, if it has one.
func forHTTP1(conn net.Conn) net.Conn {
	follower := &http1Conn{Conn: conn}
	secure, isTLS := conn.(*tls.Conn)
	switch {
	case !isTLS:
		return netconn.Keep(follower)
	case servesAnyTLS:
		return &secureHTTP1Conn{follower, secure}
	}
	return conn
}

// followerOf is the one of a connection; nil = it has none. Inside of a CONNECT, the connection
// outside is not looked for.
func followerOf(conn net.Conn) *http1Conn {
	if wrapper, wraps := conn.(netconn.Wrapper); wraps {
		if _, ours := conn.(*http1Conn); !ours {
			conn = wrapper.NetConn()
		}
	}
	follower, _ := conn.(*http1Conn)
	return follower
}

// endWhereUnclear ends connections of HTTP/1.x whose next request may not be one (RFC 9112
// section 6.3).
func endWhereUnclear(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := followerOf(httpexchange.Below(r.Context())); c != nil && r.ProtoMajor == 1 && c.requests.endsWithThis() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
