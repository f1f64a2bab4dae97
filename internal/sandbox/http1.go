package sandbox

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"

	"avsproxy/internal/sandbox/frames"
)

// maxHeaderBytes makes net/http accept a header list of 40960 bytes, as AVS does:
// net/http adds 320 bytes to its limit.
const maxHeaderBytes = 40960 - 320

type connKey struct{}

// serveHTTP1 serves a connection until its end. Each connection has a server of its
// own, whose Serve returns after the last handler.
func (s *service) serveHTTP1(c *tls.Conn) {
	ctx := context.WithValue(s.ctx, connKey{}, int(s.lastID.Add(1)))
	l := &connListener{conn: c, ended: make(chan struct{})}
	server := &http.Server{
		Handler:     s.http1,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateActive:
				s.connUsed(c)
			case http.StateClosed:
				close(l.ended)
			}
		},
		ReadHeaderTimeout: handshakeTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	stop := context.AfterFunc(ctx, func() { c.NetConn().Close() })
	defer stop()
	server.Serve(l)
}

// A connListener accepts one connection, and fails when that has ended.
type connListener struct {
	conn  net.Conn // nil once accepted
	ended chan struct{}
}

// Accept returns the connection once.
func (l *connListener) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.ended
	return nil, net.ErrClosed
}

// Close does nothing: the connection closes itself.
func (l *connListener) Close() error { return nil }

// Addr returns nothing: no handler needs it.
func (l *connListener) Addr() net.Addr { return nil }

func connID(ctx context.Context) int {
	if stream := frames.FromContext(ctx); stream != nil {
		return stream.Conn().ID()
	}
	id, _ := ctx.Value(connKey{}).(int)
	return id
}

// cutConnection ends the connection of a request at once, and its handler.
func cutConnection(ctx context.Context) {
	if stream := frames.FromContext(ctx); stream != nil {
		stream.Conn().Close(errFault)
	}
	panic(http.ErrAbortHandler) // which cuts HTTP/1.1
}
