package h2

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Group has sessions that share one lock, so that a stream of one can be joined to a
// stream of another. The zero value is ready.
type Group struct {
	// Memory bounds what the sessions hold for their clients, in bytes. Zero = it is not
	// bounded.
	Memory int64
	// Relieved hears how many connections were ended because that was full; nil = nobody
	// does.
	Relieved func(connections int)

	mu      sync.Mutex
	now     time.Time  // when what is done now began; whoever takes the lock to do much sets it
	pending []Reporter // see later
	running bool       // a goroutine calls them
	gathers bool       // who holds the lock will call flush
	touched []*Session // for flush
	spare   []*Session
	free    []*Stream // nobody knows them any more

	held      int64 // bytes, by the prices of memory.go
	isFull    atomic.Bool
	relieving bool
	rounds    int                   // of relieving
	room      *sync.Cond            // of who waits for it; nil = nobody ever did
	served    map[*Session]struct{} // those of clients
}

const maxFree = 1024 // streams

// Locked calls f with the group's lock held.
func (g *Group) Locked(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

// stream returns a stream to be filled in.
func (g *Group) stream() *Stream {
	n := len(g.free)
	if n == 0 {
		return new(Stream)
	}
	st := g.free[n-1]
	g.free = g.free[:n-1]
	return st
}

// later has t called soon without the lock, behind what was given before.
func (g *Group) later(t Reporter) {
	g.pending = append(g.pending, t)
	if !g.running {
		g.running = true
		go g.callPending()
	}
}

func (g *Group) callPending() {
	g.mu.Lock()
	defer g.mu.Unlock()
	var spare []Reporter
	for len(g.pending) > 0 {
		all := g.pending
		g.pending = spare[:0]
		g.mu.Unlock()
		for _, t := range all {
			t.Report()
		}
		g.mu.Lock()
		for _, t := range all {
			t.Release()
		}
		clear(all)
		spare = all
	}
	g.running, g.pending = false, nil
}
