package tunnel

import (
	"context"
	"io"
	"net"
	"sync"
)

type halfCloser interface{ CloseWrite() error }

// closeWrite says that no more will be written, which for some takes closing.
func closeWrite(conn net.Conn) error {
	if half, ok := conn.(halfCloser); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}

// relay copies both ways until both have ended, and closes both connections. The
// end of one way is passed on and leaves the other open; an error ends both.
func relay(client, target net.Conn) (up, down int64) {
	var copying sync.WaitGroup
	copying.Go(func() { up = carry(target, client) })
	down = carry(client, target)
	copying.Wait()
	client.Close()
	target.Close()
	return up, down
}

// carry copies one way.
func carry(to, from net.Conn) int64 {
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

// A Group keeps the tunnels that [http.Server] has lost sight of. The zero value is
// ready.
type Group struct {
	mu      sync.Mutex
	closed  bool
	open    map[net.Conn]struct{}
	running sync.WaitGroup
}

// Relay copies bytes between the two, both ways, until both have ended or the group
// is drained, and closes them. It returns how many went up to the target and down
// to the client.
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

// Drain lets no new tunnel begin, waits until all have ended, and cuts those that
// are left when ctx ends, which is then its error.
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
	g.cut()
	<-ended
	return ctx.Err()
}

func (g *Group) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for conn := range g.open {
		conn.Close()
	}
}
