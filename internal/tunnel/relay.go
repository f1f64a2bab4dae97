package tunnel

import (
	"context"
	"io"
	"net"
	"sync"
)

// closeWrite tells the other end that no more comes; some connections must be closed
// for that.
func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}

// relay copies in both directions until both have ended, and closes both connections.
// The end of one direction is passed on and leaves the other open; an error ends both.
func relay(client, target net.Conn) (up, down int64) {
	var copying sync.WaitGroup
	copying.Go(func() { up = copyHalf(target, client) })
	down = copyHalf(client, target)
	copying.Wait()
	client.Close()
	target.Close()
	return up, down
}

// copyHalf copies in one direction.
func copyHalf(to, from net.Conn) int64 {
	n, err := io.Copy(to, from)
	if err == nil {
		err = closeWrite(to)
	}
	if err != nil {
		to.Close()
		from.Close()
	}
	return n
}

// A Group has the tunnels that [http.Server] does not know about any more. The zero
// value is ready.
type Group struct {
	mu      sync.Mutex
	closed  bool
	open    map[net.Conn]struct{}
	running sync.WaitGroup
}

// Relay copies bytes in both directions until both have ended or the group is
// drained, and closes both connections. It returns the number of bytes to the target
// and to the client.
func (g *Group) Relay(client, target net.Conn) (up, down int64) {
	if !g.enter(client, target) {
		client.Close()
		target.Close()
		return 0, 0
	}
	defer g.leave(client, target)
	return relay(client, target)
}

func (g *Group) enter(conns ...net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	if g.open == nil {
		g.open = map[net.Conn]struct{}{}
	}
	for _, conn := range conns {
		g.open[conn] = struct{}{}
	}
	g.running.Add(1)
	return true
}

func (g *Group) leave(conns ...net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, conn := range conns {
		delete(g.open, conn)
	}
	g.running.Done()
}

// Drain refuses new tunnels and waits until all have ended. When ctx ends it closes
// those that are left and returns the error of ctx.
func (g *Group) Drain(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		g.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	g.closeAll()
	<-ended
	return ctx.Err()
}

func (g *Group) closeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for conn := range g.open {
		conn.Close()
	}
}
