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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"

	"avsproxy/internal/certs"
	"avsproxy/internal/sandbox/faults"
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
	// maxHeaderBytes makes net/http accept a header list of 40960 bytes, as AVS does:
	// net/http adds 320 bytes to its limit.
	maxHeaderBytes = 40960 - 320
)

// A service is LWA or AVS: a handler that is served over TLS on some listeners.
type service struct {
	ctx       context.Context // its end closes all connections
	tls       *tls.Config
	http2     *frames.Server
	http1     *http.Server // nil: HTTP/2 only, even if the client has not agreed to it
	listeners []net.Listener
	work      sync.WaitGroup // listeners and connections

	lastID      atomic.Int64 // of HTTP/1.1 connections
	inUse       sync.Map     // the open connections that have spoken HTTP
	open, total atomic.Int64 // connections that speak HTTP now, and that ever did
}

// newService returns a service that speaks HTTP/1.1, and HTTP/2 if config negotiates it.
func newService(ctx context.Context, config *tls.Config, handler http.Handler) *service {
	s := &service{ctx: ctx, tls: config}
	s.http2 = &frames.Server{
		Handler:  frames.HTTP(handler),
		Fields:   sandboxFields,
		Activity: func(c *frames.Conn) { s.connUsed(c.NetConn()) },
		ErrorLog: log.New(io.Discard, "", 0),
	}
	s.http1 = &http.Server{
		Handler:           handler,
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){"h2": s.serveHTTP2},
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       s.withConnID,
		ConnState:         s.connState,
		ReadHeaderTimeout: handshakeTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          s.http2.ErrorLog,
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
		s.work.Go(func() { s.serve(tls.NewListener(l, s.tls)) })
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
	if s.http1 != nil {
		s.http1.Close()
	}
	s.work.Wait()
	return err
}

func (s *service) url() string {
	return fmt.Sprintf("https://localhost:%d", s.listeners[0].Addr().(*net.TCPAddr).Port)
}

// serve serves connections until the listener is closed.
func (s *service) serve(l net.Listener) {
	if s.http1 != nil {
		s.http1.Serve(l)
		return
	}
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			s.work.Go(func() { s.handshake(nc.(*tls.Conn)) })
		case errors.Is(err, net.ErrClosed) || !pause(s.ctx, acceptPause):
			return
		}
	}
}

func (s *service) handshake(c *tls.Conn) {
	ctx, cancel := context.WithTimeout(s.ctx, handshakeTimeout)
	defer cancel()
	if c.HandshakeContext(ctx) != nil {
		c.NetConn().Close()
		return
	}
	s.serveHTTP2(nil, c, nil)
}

// serveHTTP2 is a function for [http.Server.TLSNextProto].
func (s *service) serveHTTP2(_ *http.Server, c *tls.Conn, _ http.Handler) {
	defer s.connEnded(c)
	s.http2.ServeConn(s.ctx, c)
}

// connState follows the connections of net/http.
func (s *service) connState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.work.Add(1)
	case http.StateActive:
		s.connUsed(c)
	case http.StateClosed:
		s.connEnded(c)
		s.work.Done()
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

type connKey struct{}

// withConnID numbers the connections of net/http from 1.
func (s *service) withConnID(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, int(s.lastID.Add(1)))
}

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

func addSandboxHeader(w http.ResponseWriter) {
	for _, field := range sandboxFields() {
		w.Header().Set(field.Name, field.Value)
	}
}

func sandboxFields() []hpack.HeaderField {
	return []hpack.HeaderField{{Name: "x-amzn-requestid", Value: newID()}, {Name: strings.ToLower(SandboxHeader), Value: "1"}}
}

const leafLifetime = 365 * 24 * time.Hour // a shorter one gains nothing: each start makes a new root

// certificates are the good certificate, and those that faults show instead of it.
type certificates struct {
	faults  *faults.Set
	good    *tls.Certificate
	byFault map[string]*tls.Certificate
}

func newCertificates(authority *certs.Authority, set *faults.Set) (*certificates, error) {
	names := []string{"localhost", "127.0.0.1", "::1", CapabilitiesHost}
	good, err1 := authority.Leaf(leafLifetime, names...)
	expired, err2 := authority.Leaf(-time.Minute, names...)
	other, err3 := authority.Leaf(leafLifetime, "another.localhost")
	byFault := map[string]*tls.Certificate{"tls-expired": expired, "tls-wrong-name": other}
	return &certificates{set, good, byFault}, errors.Join(err1, err2, err3)
}

// config negotiates one of the protocols. A client that offers none of them still
// completes the handshake; the service closes its connection later. A fault turns off
// resumption too, because a resumed session would not show the certificate.
func (c *certificates) config(protocols ...string) *tls.Config {
	return &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		config := &tls.Config{Certificates: []tls.Certificate{*c.good}, MinVersion: tls.VersionTLS12}
		if slices.ContainsFunc(protocols, func(name string) bool { return slices.Contains(hello.SupportedProtos, name) }) {
			config.NextProtos = protocols
		}
		for _, f := range c.faults.Strike(faults.Handshake) {
			config.Certificates, config.SessionTicketsDisabled = []tls.Certificate{*c.byFault[f.Name]}, true
		}
		return config, nil
	}}
}
