package sandbox

import (
	"context"
	"net"
	"net/http"
	"sync"
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
		if !c.open[conn] {
			c.open[conn] = true
			c.total++
		}
	case http.StateClosed:
		delete(c.open, conn)
		c.live.Done()
	}
}

func (c *connections) counts() (open, total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open), c.total
}

// wait returns when every connection has ended. No new one may come meanwhile.
func (c *connections) wait() { c.live.Wait() }

func connID(ctx context.Context) int {
	id, _ := ctx.Value(connKey{}).(int)
	return id
}
