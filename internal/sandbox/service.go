package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"

	"avsproxy/internal/sandbox/frames"
)

const (
	// handshakeTimeout limits the TLS handshake, and then the first bytes of HTTP.
	handshakeTimeout = 10 * time.Second
	// acceptPause is the pause after a failed Accept, for example when the process has
	// no file descriptor left.
	acceptPause = 10 * time.Millisecond
	// streamWindow is the SETTINGS_INITIAL_WINDOW_SIZE that AVS was observed to send.
	streamWindow = 1<<31 - 1
)

// A service is LWA or AVS: a handler that is served over TLS on some listeners.
type service struct {
	ctx       context.Context // its end closes all connections
	tls       *tls.Config
	http2     *frames.Server
	http1     http.Handler // nil: HTTP/2 only, even if the client has not agreed to it
	listeners []net.Listener
	work      sync.WaitGroup // listeners and connections

	lastID      atomic.Int64 // of HTTP/1.1 connections
	inUse       sync.Map     // the open connections that have spoken HTTP
	open, total atomic.Int64 // connections that speak HTTP now, and that ever did
}

func newService(ctx context.Context, config *tls.Config, handler http.Handler) *service {
	s := &service{ctx: ctx, tls: config, http1: handler}
	s.http2 = &frames.Server{
		Handler:  frames.HTTP(handler),
		Fields:   sandboxFields,
		Activity: func(c *frames.Conn) { s.connUsed(c.NetConn()) },
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return s
}

// newAVS returns the service of a gateway. AVS speaks HTTP/2 only: any other client
// gets a SETTINGS frame and the end of the connection.
func newAVS(ctx context.Context, certs *certificates, g *gateway, o Options) *service {
	if o.HTTP1 {
		return newService(ctx, certs.config("http/1.1"), g)
	}
	s := newService(ctx, certs.config("h2"), g)
	s.http1 = nil
	s.http2.MaxConcurrentStreams = uint32(min(o.MaxConcurrentStreams, streamWindow))
	s.http2.InitialWindowSize = streamWindow
	s.http2.ConnStart, s.http2.ConnEnd = g.connections.start, g.connections.end
	s.http2.Activity = func(c *frames.Conn) {
		s.connUsed(c.NetConn())
		g.connections.active(c)
	}
	return s
}

// start accepts connections from the listeners, or from a new one if there are none.
func (s *service) start(listeners []net.Listener) error {
	if len(listeners) == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("starting the sandbox: %w", err)
		}
		listeners = []net.Listener{l}
	}
	s.listeners = listeners
	for _, l := range listeners {
		s.work.Go(func() { s.accept(l) })
	}
	return nil
}

// close closes the listeners and waits. The caller has ended the service's context.
func (s *service) close() (err error) {
	for _, l := range s.listeners {
		if closeErr := l.Close(); !errors.Is(closeErr, net.ErrClosed) {
			err = errors.Join(err, closeErr)
		}
	}
	s.work.Wait()
	return err
}

func (s *service) url() string {
	return fmt.Sprintf("https://localhost:%d", s.listeners[0].Addr().(*net.TCPAddr).Port)
}

func (s *service) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			s.work.Go(func() { s.serve(tls.Server(nc, s.tls)) })
		case errors.Is(err, net.ErrClosed) || !pause(s.ctx, acceptPause):
			return
		}
	}
}

func (s *service) serve(c *tls.Conn) {
	defer s.connEnded(c)
	ctx, cancel := context.WithTimeout(s.ctx, handshakeTimeout)
	err := c.HandshakeContext(ctx)
	cancel()
	switch {
	case err != nil:
		c.NetConn().Close()
	case s.http1 == nil || c.ConnectionState().NegotiatedProtocol == "h2":
		s.http2.ServeConn(s.ctx, c)
	default:
		s.serveHTTP1(c)
	}
}

// connUsed counts a connection that has spoken HTTP, however often it is called.
func (s *service) connUsed(c net.Conn) {
	if _, counted := s.inUse.LoadOrStore(c, true); !counted {
		s.open.Add(1)
		s.total.Add(1)
	}
}

func (s *service) connEnded(c net.Conn) {
	if _, counted := s.inUse.LoadAndDelete(c); counted {
		s.open.Add(-1)
	}
}

func addSandboxHeader(w http.ResponseWriter) {
	for _, field := range sandboxFields() {
		w.Header().Set(field.Name, field.Value)
	}
}

func sandboxFields() []hpack.HeaderField {
	return []hpack.HeaderField{{Name: "x-amzn-requestid", Value: newID()}, {Name: strings.ToLower(SandboxHeader), Value: "1"}}
}
