package listen

import (
	"net"
	"sync"
	"time"

	"avsproxy/internal/peer"
)

// A Limit bounds how many connections are open at once, on all listeners that share it.
type Limit struct {
	places chan struct{}

	// Of connections that are not by users; users nil = all are alike.
	users  *peer.Users
	apart  chan struct{}
	closed func()

	mu   sync.Mutex
	open map[*slot]struct{} // those in places
}

// NewLimit returns a limit of that many connections, at least one.
func NewLimit(most int) *Limit {
	return &Limit{places: make(chan struct{}, max(most, 1)), open: map[*slot]struct{}{}}
}

// Apart gives connections by others than users that many places of their own, so that others can take none away.
// Beyond these they are closed as they come, and closed is called. It is for before the first Listener.
func (l *Limit) Apart(users *peer.Users, most int, closed func()) {
	l.users, l.apart, l.closed = users, make(chan struct{}, max(most, 1)), closed
}

// Listener returns ln with its connections counted until they are closed. When there are as many as the limit allows,
// the one that is idle longest (see [SetIdle]) is closed for the next; where none is, that waits until another is
// closed, and those behind it wait in the system's queue. A connection keeps what TCP and unix connections can do, and
// its NetConn returns what ln accepted. Its peer is found out when it comes, see [peer.Of].
func (l *Limit) Listener(ln net.Listener) net.Listener {
	return &limited{Listener: ln, limit: l, done: make(chan struct{})}
}

type limited struct {
	net.Listener
	limit *Limit
	stop  sync.Once
	done  chan struct{}
}

// Accept takes a place after the connection came: listeners that are idle hold none.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		s := &slot{limit: l.limit, conn: conn, peer: peer.Of(conn)}
		switch {
		case l.limit.users != nil && !l.limit.users.Admit(s.peer):
			if s.take(l.limit.apart) {
				return counted(conn, s), nil
			}
			conn.Close()
			l.limit.closed()
		case l.limit.wait(s, l.done):
			return counted(conn, s), nil
		default:
			conn.Close()
			return nil, net.ErrClosed
		}
	}
}

// Count counts a connection that came some other way. ok is false where there is no place.
func (l *Limit) Count(conn net.Conn) (_ net.Conn, ok bool) {
	s := &slot{limit: l, conn: conn}
	if !l.try(s) {
		l.closeIdle()
		if !l.try(s) {
			return nil, false
		}
	}
	return counted(conn, s), true
}

// wait takes a place; false = done was closed first.
func (l *Limit) wait(s *slot, done <-chan struct{}) bool {
	if l.try(s) {
		return true
	}
	again := time.NewTicker(patience)
	defer again.Stop()
	for {
		l.closeIdle()
		select {
		case l.places <- struct{}{}:
			l.enter(s)
			return true
		case <-done:
			return false
		case <-again.C:
		}
	}
}

func (l *Limit) try(s *slot) bool {
	if !s.take(l.places) {
		return false
	}
	l.enter(s)
	return true
}

func (l *Limit) enter(s *slot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.places = l.places
	l.open[s] = struct{}{}
}

// closeIdle closes the connection that has been idle longest, if that is longer than busy clients take from one request
// to the next.
func (l *Limit) closeIdle() {
	if s := l.idlest(); s != nil && time.Since(time.Unix(0, s.idle.Load())) >= patience {
		s.conn.Close()
		s.free()
	}
}

func (l *Limit) idlest() (found *slot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first int64
	for s := range l.open {
		if since := s.idle.Load(); since != 0 && (found == nil || since < first) {
			found, first = s, since
		}
	}
	return found
}

func (l *limited) Close() error {
	l.stop.Do(func() { close(l.done) })
	return l.Listener.Close()
}
