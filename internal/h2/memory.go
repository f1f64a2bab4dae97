package h2

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// What the sessions of a group hold for their clients is counted: connections and streams by a
// price that is more than they take as a rule, bodies and buffers by their size. A group with
// a Memory is full for new requests when three quarters of it are held ([Group.Full]). Those
// under way may take more: beyond seven eighths the connections that hold most are ended.
const (
	connPrice   = 24 << 10 // stacks of two goroutines, tables of HPACK, small buffers
	streamPrice = 2 << 10  // and its head
	bridgePrice = 20 << 10 // a goroutine that answers, with net/http's forms of the heads
	stalledTime = time.Second
)

func (g *Group) enough() int64 { return g.Memory / 4 * 3 }

func (g *Group) tooMuch() int64 { return g.Memory / 8 * 7 }

// Full reports whether what is held leaves no room for further requests.
func (g *Group) Full() bool { return g.isFull.Load() }

// Held is how many bytes the sessions hold, by the prices of this package.
func (g *Group) Held() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

// Hold counts n bytes more, or less, that are held for a client without a session.
func (g *Group) Hold(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold(n)
}

// charge counts n bytes more, or less, that are held for the session's client. The caller holds
// the group's lock.
func (s *Session) charge(n int) {
	s.held += n
	s.group.hold(n)
}

func (g *Group) hold(n int) {
	if g.held += int64(n); g.Memory == 0 || g.held <= g.enough() && !g.isFull.Load() {
		return // as most often
	}
	if full := g.held > g.enough(); full != g.isFull.Load() {
		g.isFull.Store(full)
	}
	if n < 0 && g.room != nil && g.held <= g.tooMuch() {
		g.room.Broadcast()
	}
	if n >= 0 && g.held > g.tooMuch() && !g.relieving {
		g.relieving = true
		go g.makeRoom()
	}
}

// makeRoom ends connections where a group is full, and looks again when they are gone. It has a
// goroutine of its own: who is told may wait.
func (g *Group) makeRoom() {
	ended := g.relieve()
	time.AfterFunc(stalledTime/10, g.endRound)
	if ended > 0 && g.Relieved != nil {
		g.Relieved(ended)
	}
}

// endRound has those go on that wait in awaitRoom.
func (g *Group) endRound() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.relieving = false
	g.rounds++
	if g.room != nil {
		g.room.Broadcast()
	}
	g.hold(0)
}

// awaitRoom has who reads wait while connections are ended for there is too much, but not for
// long: it may be others that hold it.
func (g *Group) awaitRoom() {
	for round := g.rounds; g.relieving && g.held > g.tooMuch() && g.rounds == round; {
		if g.room == nil {
			g.room = sync.NewCond(&g.mu)
		}
		g.room.Wait()
	}
}

// relieve ends the connections that hold most until the rest is three quarters of what may be
// held: first of those on which nothing was sent for a second.
func (g *Group) relieve() (ended int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, held := time.Now(), g.held
	stalls := func(s *Session) int { return cmp.Compare(stalledTime, now.Sub(s.lastSent)) }
	worst := slices.SortedFunc(g.holders, func(a, b *Session) int {
		return cmp.Or(cmp.Compare(stalls(a), stalls(b)), cmp.Compare(b.held, a.held))
	})
	for _, s := range worst {
		if held <= g.enough() {
			break
		}
		held -= int64(s.held)
		s.cut()
		ended++
	}
	return ended
}

// holders yields the sessions of clients that hold more than a connection's price.
func (g *Group) holders(yield func(*Session) bool) {
	for s := range g.served {
		if s.err == nil && s.held > connPrice && !yield(s) {
			return
		}
	}
}

// cut ends the connection with all that waits for it. The caller holds the group's lock.
func (s *Session) cut() {
	_ = s.conn.SetWriteDeadline(time.Now()) // who does not read would not read a GOAWAY
	s.endLocked(errFull)
	go s.conn.Close() // over TLS it may wait
}

var errFull = ConnError{EnhanceYourCalm, "the memory for all connections is full, and this one holds much of it"}

// serve counts the session among those of clients while it runs.
func (s *Session) serve(runs bool) {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	if !runs {
		s.charge(-connPrice - s.reading - s.buffered)
		s.reading, s.buffered = 0, 0
		if delete(s.group.served, s); len(s.group.served) == 0 {
			s.group.free = nil
		}
		return
	}
	s.charge(connPrice)
	if s.server {
		if s.group.served == nil {
			s.group.served = map[*Session]struct{}{}
		}
		s.group.served[s] = struct{}{}
	}
}

// countReading counts the buffer of the reader. The caller holds the group's lock.
func (s *Session) countReading(size int) {
	if size != s.reading {
		s.charge(size - s.reading)
		s.reading = size
	}
}

// countBuffers counts those of the writer: what is written now, and what will be next. The
// caller holds the group's lock.
func (s *Session) countBuffers(now, next []byte) {
	size := 0
	for _, buffer := range [...][]byte{now, next} {
		if cap(buffer) > smallOut {
			size += cap(buffer)
		}
	}
	if size != s.buffered {
		s.charge(size - s.buffered)
		s.buffered = size
	}
}
