package listen

import (
	"container/list"
	"net"
	"sync"
	"time"
)

// waitlist holds the connections that have not sent a byte yet, oldest first.
type waitlist struct {
	mu     sync.Mutex
	order  list.List // of *waiter
	closed bool
}

type waiter struct {
	conn  net.Conn
	since time.Time
	place *list.Element // nil: not in the list any more
}

// add lets a connection wait; nil: the list is shut.
func (l *waitlist) add(c net.Conn) *waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	w := &waiter{conn: c, since: time.Now()}
	w.place = l.order.PushBack(w)
	return w
}

// leave ends the waiting; false: it was ended before by pushOut or shut.
func (l *waitlist) leave(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.place == nil {
		return false
	}
	l.remove(w)
	return true
}

// pushOut closes the connection that has waited longest, if that is at least as long as patience.
func (l *waitlist) pushOut(patience time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.oldest(); w != nil && time.Since(w.since) >= patience {
		l.remove(w)
		w.conn.Close()
	}
}

// shut closes every waiting connection and lets no other in.
func (l *waitlist) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for w := l.oldest(); w != nil; w = l.oldest() {
		l.remove(w)
		w.conn.Close()
	}
}

func (l *waitlist) oldest() *waiter {
	if front := l.order.Front(); front != nil {
		return front.Value.(*waiter)
	}
	return nil
}

func (l *waitlist) remove(w *waiter) {
	l.order.Remove(w.place)
	w.place = nil
}
