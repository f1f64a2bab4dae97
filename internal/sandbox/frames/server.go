// Package frames is an HTTP/2 server (RFC 9113) whose user can see and choose the
// frames. By default it follows the protocol. On request it resets streams, stalls, sends
// GOAWAY or cuts connections.
//
// A [Server] serves connections; each request is a [Stream] on a [Conn]. [HTTP]
// serves an ordinary http.Handler, which finds its stream by [FromContext].
package frames

import (
	"cmp"
	"context"
	"log"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"
)

const (
	maxHeaderList  = 40960            // announced; larger requests are answered with 431
	connWindow     = 1 << 20          // receive window of a connection: it limits the unread bytes in memory
	prefaceTimeout = 10 * time.Second // for the client's preface and its first SETTINGS
)

// A Server is the configuration of its connections. Its fields must not change while it
// serves.
type Server struct {
	// Handler answers a request, in a goroutine of its own. If it returns before
	// the end of the stream, the server ends the stream, or resets it with
	// INTERNAL_ERROR if there was no head. A panic resets the stream.
	Handler func(*Stream)

	MaxConcurrentStreams uint32 // announced; more are refused. 0 is 100.
	InitialWindowSize    uint32 // announced receive window of a stream, in bytes, from 65535 to 2^31-1. 0 is 65535.

	Fields    func() []hpack.HeaderField // optional: the fields of the server's own answers, 400 and 431
	ConnStart func(*Conn)                // optional: before the first byte is read or written
	ConnEnd   func(*Conn)                // optional: after the last handler has returned
	Activity  func(*Conn)                // optional: called for each frame from the client
	ErrorLog  *log.Logger                // for panics of handlers, except http.ErrAbortHandler. nil is the standard logger.

	lastConn atomic.Int64
}

// ServeConn serves an HTTP/2 connection, and returns when it has ended and all its
// handlers have returned. The end of ctx closes the connection.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn) {
	c := newConn(ctx, s, nc)
	stop := context.AfterFunc(ctx, func() { c.end(context.Cause(ctx)) })
	defer stop()
	if s.ConnStart != nil {
		s.ConnStart(c)
	}
	c.serve()
	if s.ConnEnd != nil {
		s.ConnEnd(c)
	}
}

func (s *Server) maxStreams() uint32 { return cmp.Or(s.MaxConcurrentStreams, 100) }

func (s *Server) streamWindow() uint32 {
	return min(max(s.InitialWindowSize, initialWindow), maxWindow)
}

// refuse answers a request without a handler.
func (s *Server) refuse(stream *Stream, status int) {
	var fields []hpack.HeaderField
	if s.Fields != nil {
		fields = s.Fields()
	}
	stream.Head(status, fields, true)
}
