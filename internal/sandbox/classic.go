package sandbox

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// AVS takes a header list of 40960 bytes; net/http adds 320 to what it is given.
const maxHeaderBytes = 40960 - 320

// A classic engine is net/http's server.
type classic struct {
	server      *http.Server
	connections *connections
	handlers    handlers
}

func newClassic(running context.Context, secure *tls.Config, handler http.Handler) *classic {
	c := &classic{connections: newConnections()}
	c.server = &http.Server{
		Handler:           c.handlers.counted(handler),
		TLSConfig:         secure,
		BaseContext:       func(net.Listener) context.Context { return running },
		ConnContext:       c.connections.number,
		ConnState:         c.connections.observe,
		ReadHeaderTimeout: handshakeTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(io.Discard, "", 0), // refused handshakes are part of the play
	}
	return c
}

// onlyHTTP1 makes the engine not offer h2.
func (c *classic) onlyHTTP1() {
	c.server.Protocols = new(http.Protocols)
	c.server.Protocols.SetHTTP1(true)
}

func (c *classic) serve(l net.Listener)      { c.server.ServeTLS(l, "", "") }
func (c *classic) shut() error               { return c.server.Close() }
func (c *classic) counts() (open, total int) { return c.connections.counts() }

func (c *classic) wait() {
	c.connections.wait()
	c.handlers.close()
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
