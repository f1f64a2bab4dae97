// Package httpserver serves HTTP/1.x and HTTP/2 on local ports, within bounds.
package httpserver

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/h2"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/listen"
	"avsproxy/internal/peer"
	"avsproxy/internal/problem"
	"avsproxy/internal/tunnel"
)

// Bounds of every server here. There is none on writing and none on a whole
// request: streams may last for days.
const (
	firstByteTimeout = 10 * time.Second
	HeaderTimeout    = 10 * time.Second
	idleTimeout      = 2 * time.Minute
	maxHeader        = 64 << 10
	maxStreams       = 250 // per connection
)

// DiscardLog drops what net/http logs.
func DiscardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// A Server serves HTTP/1.x and HTTP/2 by sessions of the packages h1 and h2.
type Server struct {
	*http.Server
	// Relay returns who takes the requests of an HTTP/2 connection in the place of Handler,
	// which the bridge calls; nil = Handler gets them all.
	Relay func(conn *exchange.Conn, bridge *h2.Bridge) h2.Acceptor
	// Unread hears of requests that could not be read, and what they were told; nil = nobody
	// does.
	Unread func(problem.Problem)
	// Standard has net/http serve HTTP/1.x.
	Standard bool
	// Group has the sessions, and counts what they and other connections hold.
	Group *h2.Group
	// WebSockets lets clients open them over HTTP/2 (RFC 8441).
	WebSockets bool

	handler  http.Handler // without what net/http's connections need
	mu       sync.Mutex
	sessions map[*h2.Session]bool
	ended    bool           // no session begins any more
	serving  sync.WaitGroup // of sessions
}

// New answers HTTP/1.x and HTTP/2, in the clear and over TLS. errorLog nil = log.Default().
func New(handler http.Handler, errorLog *log.Logger) *Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	s := &Server{Group: new(h2.Group), handler: handler}
	s.Server = &http.Server{
		Handler: endWhereUnclear(answerEarly(handler)),
		// "OPTIONS *" is for the guard to judge too.
		DisableGeneralOptionsHandler: true,
		Protocols:                    &protocols,
		ReadHeaderTimeout:            HeaderTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeader,
		ConnContext:                  connContext(&atomic.Uint64{}),
		ConnState:                    s.connState,
		ErrorLog:                     cmp.Or(errorLog, log.Default()),
	}
	return s
}

// NewPages is [New] for a handler that relays nothing: all responses are our own.
func NewPages(handler http.Handler, errorLog *log.Logger) *Server {
	return New(OwnAnswers(handler), errorLog)
}

// LingerTime bounds the wait for an upload whose answer was given early.
const LingerTime = 2 * time.Second

// connContext notes what is known of a connection: its number, and inside a CONNECT what that
// one established, else who made it. At once, since a peer that has closed can no
// longer be told from others.
func connContext(count *atomic.Uint64) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, conn net.Conn) context.Context {
		known, inside := tunnel.Inside(conn)
		if !inside {
			known.Peer = peer.Of(conn)
		}
		known.Number = count.Add(1)
		return httpexchange.WithConn(ctx, &known, conn)
	}
}

// Serve serves a listener whose connections are in the clear or a *tls.Conn.
func (s *Server) Serve(ln net.Listener) error { return s.Server.Serve(newSplitter(ln, s)) }

// Serve serves listeners that speak TLS and clear text by the first bytes.
func Serve(server *Server, lns []net.Listener, conf *tls.Config) <-chan error {
	ended := make(chan error, len(lns))
	for _, ln := range lns {
		go func() {
			err := server.Serve(listen.Sniff(ln, conf, firstByteTimeout))
			if !errors.Is(err, http.ErrServerClosed) {
				ended <- err
			}
		}()
	}
	return ended
}
