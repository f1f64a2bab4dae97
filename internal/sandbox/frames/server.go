// Package frames is an HTTP/2 server (RFC 9113) whose frames its user can see and
// choose. It speaks the protocol correctly by itself; on request it resets,
// stalls, goes away or cuts.
//
// A [Server] serves connections; each request is a [Stream] on a [Conn]. [HTTP]
// serves an ordinary http.Handler, which finds its stream by [FromContext].
package frames

import (
	"cmp"
	"context"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A Server is what its connections share. Its fields must not change while it
// serves.
type Server struct {
	// Handler answers a request, in a goroutine of its own. If it returns before
	// the stream ended, the stream is ended, or reset with INTERNAL_ERROR if
	// there was no head. A panic resets the stream.
	Handler func(*Stream)

	MaxConcurrentStreams uint32 // announced; more are refused. 0 is 100.
	InitialWindowSize    uint32 // announced receive window of a stream, in bytes, to 2^31-1. 0 is 65535.
	ConnWindowSize       uint32 // receive window of a connection, from 65535 to 2^31-1. It bounds what is held unread. 0 is 1 MiB.
	MaxHeaderListSize    uint32 // announced; larger requests are answered with 431. 0 is 40960.

	HeaderTimeout time.Duration // for the preface and the first SETTINGS. 0 is 10 s.

	Fields    func() []hpack.HeaderField // optional: what the server's own answers have, 400 and 431
	ConnStart func(*Conn)                // optional: before the first byte is read or written
	ConnEnd   func(*Conn)                // optional: after the last handler has returned
	Activity  func(*Conn, bool)          // optional: hears of each frame from the client, and whether it was a PING
	ErrorLog  *log.Logger                // hears of handlers that panic, but for http.ErrAbortHandler. nil is the standard logger.

	lastConn atomic.Int64
}

// ServeConn serves a connection on which HTTP/2 is agreed upon, and returns when
// it has ended and all its handlers have returned. The end of ctx closes it.
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
func (s *Server) maxHeaders() uint32 { return cmp.Or(s.MaxHeaderListSize, 40960) }
func (s *Server) streamWindow() uint32 {
	return min(cmp.Or(s.InitialWindowSize, initialWindow), maxWindow)
}
func (s *Server) headerTimeout() time.Duration { return cmp.Or(s.HeaderTimeout, 10*time.Second) }

// connWindow cannot be less than what every connection begins with.
func (s *Server) connWindow() uint32 {
	return min(max(cmp.Or(s.ConnWindowSize, 1<<20), initialWindow), maxWindow)
}

// refuse answers a request that no handler sees.
func (s *Server) refuse(stream *Stream, status int) {
	var fields []hpack.HeaderField
	if s.Fields != nil {
		fields = s.Fields()
	}
	stream.Head(status, fields, true)
}

func (s *Server) settings() []http2.Setting {
	return []http2.Setting{
		{ID: http2.SettingMaxConcurrentStreams, Val: s.maxStreams()},
		{ID: http2.SettingInitialWindowSize, Val: s.streamWindow()},
		{ID: http2.SettingMaxHeaderListSize, Val: s.maxHeaders()},
	}
}

// panicked reports a handler that panicked, unless it meant to.
func (s *Server) panicked(value any) {
	if value == http.ErrAbortHandler {
		return
	}
	logger := cmp.Or(s.ErrorLog, log.Default())
	logger.Printf("frames: a handler panicked: %v\n%s", value, debug.Stack())
}
