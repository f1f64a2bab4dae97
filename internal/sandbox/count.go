package sandbox

import (
	"context"
	"net"
	"net/http"
	"sync"

	"avsproxy/internal/sandbox/frames"
)

type connKey struct{}

// connections numbers a site's connections and counts those that are in use.
type connections struct {
	mu    sync.Mutex
	last  int
	total int
	open  map[net.Conn]bool
	live  sync.WaitGroup
}

func newConnections() *connections {
	return &connections{open: map[net.Conn]bool{}}
}

// number is the server's ConnContext hook.
func (c *connections) number(ctx context.Context, _ net.Conn) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	return context.WithValue(ctx, connKey{}, c.last)
}

// observe is the server's ConnState hook. A connection is active once its first
// bytes after the TLS handshake are read: under h2, the client's preface.
func (c *connections) observe(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.live.Add(1)
	case http.StateActive:
		c.beganLocked(conn)
	case http.StateClosed:
		delete(c.open, conn)
		c.live.Done()
	}
}

// began counts a connection that has spoken HTTP. It may be told so often.
func (c *connections) began(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beganLocked(conn)
}

func (c *connections) beganLocked(conn net.Conn) {
	if !c.open[conn] {
		c.open[conn] = true
		c.total++
	}
}

func (c *connections) ended(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}

func (c *connections) counts() (open, total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open), c.total
}

// wait returns when every connection of net/http's server has ended. No new one may come meanwhile.
func (c *connections) wait() { c.live.Wait() }

func connID(ctx context.Context) int {
	if stream := frames.FromContext(ctx); stream != nil {
		return stream.Conn().ID()
	}
	id, _ := ctx.Value(connKey{}).(int)
	return id
}
