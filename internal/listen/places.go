package listen

import (
	"container/list"
	"net"
	"sync"
	"time"
)

// minWait is how long a connection can keep its place while its client is silent and
// others need the place. It must be longer than a busy machine takes to read a byte
// that has arrived: then no client of a burst is lost.
const minWait = 100 * time.Millisecond

// places limits how many connections there are. A connection that waits for its client
// can lose its place to a new one, the one that waits longest first.
type places struct {
	taken chan struct{} // a value for each connection

	mu      sync.Mutex
	waiting list.List // of *waiter, longest first
	closed  bool
}

type waiter struct {
	conn    net.Conn // is closed when it loses its place
	since   time.Time
	element *list.Element // nil: does not wait
}

func newPlaces(number int) *places { return &places{taken: make(chan struct{}, max(number, 1))} }

// tryAcquire takes a place if one is free.
func (p *places) tryAcquire() bool {
	select {
	case p.taken <- struct{}{}:
		return true
	default:
		return false
	}
}

// acquire takes a place, that of the connection that waits longest where none is free;
// false: done was closed first.
func (p *places) acquire(done <-chan struct{}) bool {
	if p.tryAcquire() {
		return true
	}
	again := time.NewTicker(minWait)
	defer again.Stop()
	for {
		p.evictOldest()
		select {
		case p.taken <- struct{}{}:
			return true
		case <-done:
			return false
		case <-again.C:
		}
	}
}

func (p *places) release() { <-p.taken }

// wait notes that a connection waits for its client from now on; false: p is closed.
func (p *places) wait(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed && w.element == nil {
		w.since = time.Now()
		w.element = p.waiting.PushBack(w)
	}
	return !p.closed
}

// leave notes that a connection does not wait any more; false: it did not wait, or has
// lost its place.
func (p *places) leave(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.remove(w)
}

func (p *places) remove(w *waiter) bool {
	if w.element == nil {
		return false
	}
	p.waiting.Remove(w.element)
	w.element = nil
	return true
}

// evictOldest closes the connection that has waited longest, if not shorter than minWait.
func (p *places) evictOldest() {
	if w := p.takeOldest(minWait); w != nil {
		w.conn.Close() // outside of the lock: it may call leave
	}
}

func (p *places) takeOldest(least time.Duration) *waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	front := p.waiting.Front()
	if front == nil || time.Since(front.Value.(*waiter).since) < least {
		return nil
	}
	w := front.Value.(*waiter)
	p.remove(w)
	return w
}

// close closes each connection that waits, and those that would wait.
func (p *places) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for w := p.takeOldest(0); w != nil; w = p.takeOldest(0) {
		w.conn.Close()
	}
}
