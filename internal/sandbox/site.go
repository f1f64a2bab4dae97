package sandbox

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// AVS announces a header list of 40960 bytes; net/http adds 320 to what it is given.
const maxHeaderBytes = 40960 - 320

// A site is one of the two services: a TLS server on its listeners.
type site struct {
	server      *http.Server
	connections *connections
	handlers    handlers
	serving     sync.WaitGroup
	port        int
}

func newSite(running context.Context, leaf *tls.Certificate, handler http.Handler) *site {
	s := &site{connections: newConnections()}
	s.server = &http.Server{
		Handler:           s.handlers.counted(handler),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{*leaf}, MinVersion: tls.VersionTLS12},
		BaseContext:       func(net.Listener) context.Context { return running },
		ConnContext:       s.connections.number,
		ConnState:         s.connections.observe,
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(io.Discard, "", 0), // refused handshakes are part of the play
	}
	return s
}

// limit makes the site speak as AVS does: h2 or nothing.
func (s *site) limit(o Options) {
	s.server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: cmp.Or(o.MaxConcurrentStreams, 100)}
	s.server.Protocols = new(http.Protocols)
	s.server.Protocols.SetHTTP1(o.HTTP1)
	s.server.Protocols.SetHTTP2(!o.HTTP1)
}

func (s *site) serve(listeners []net.Listener) error {
	if len(listeners) == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("starting the sandbox: %w", err)
		}
		listeners = []net.Listener{l}
	}
	s.port = listeners[0].Addr().(*net.TCPAddr).Port
	for _, l := range listeners {
		s.serving.Go(func() { s.server.ServeTLS(l, "", "") })
	}
	return nil
}

func (s *site) url() string { return fmt.Sprintf("https://localhost:%d", s.port) }

// close returns when nothing of the site runs any more. The order matters: new
// connections come from the listeners, new handlers from connections.
func (s *site) close() error {
	err := s.server.Close()
	s.serving.Wait()
	s.connections.wait()
	s.handlers.close()
	return err
}

// handlers counts the handlers that run: under HTTP/2 they may outlive their
// connection.
type handlers struct {
	mu      sync.Mutex
	running sync.WaitGroup
	closed  bool
}

func (h *handlers) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.enter() {
			panic(http.ErrAbortHandler)
		}
		defer h.running.Done()
		next.ServeHTTP(w, r)
	})
}

func (h *handlers) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.running.Add(1)
	}
	return !h.closed
}

func (h *handlers) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.running.Wait()
}
