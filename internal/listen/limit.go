package listen

import (
	"net"
	"sync"

	"avsproxy/internal/netconn"
	"avsproxy/internal/peer"
)

// A Limit bounds how many connections are open at once, on all listeners that share it.
type Limit struct {
	places *places

	// Of connections that are not by users; users nil = all are alike.
	users    *peer.Users
	apart    *places
	rejected func()
}

// NewLimit returns a limit of most connections, at least one.
func NewLimit(most int) *Limit { return &Limit{places: newPlaces(most)} }

// Apart gives connections of other users most places of their own, so that they take none from users. Beyond these
// they are closed when they come, and rejected is called. Call it before the first Listener.
func (l *Limit) Apart(users *peer.Users, most int, rejected func()) {
	l.users, l.apart, l.rejected = users, newPlaces(most), rejected
}

// Listener returns ln with its connections counted until they are closed. At the limit, the connection that is idle
// longest (see [SetIdle]) is closed for the next one; where none is idle, the next one waits for a place, and those
// behind it wait in the system's queue. A connection keeps the methods of TCP and unix connections, and what ln
// accepted is inside it (see [netconn.As]). Its peer is looked up when it comes (see [peer.Of]).
func (l *Limit) Listener(ln net.Listener) net.Listener {
	return &limited{Listener: ln, limit: l, done: make(chan struct{})}
}

type limited struct {
	net.Listener
	limit *Limit
	stop  sync.Once
	done  chan struct{}
}

// Accept takes a place after the connection came: an idle listener holds none.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		who, limit := peer.Of(conn), l.limit
		switch {
		case limit.users != nil && !limit.users.Admit(who):
			if limit.apart.tryAcquire() {
				return counted(conn, who, limit.apart), nil
			}
			conn.Close()
			limit.rejected()
		case limit.places.acquire(l.done):
			return counted(conn, who, limit.places), nil
		default:
			conn.Close()
			return nil, net.ErrClosed
		}
	}
}

// Count counts a connection that no listener accepted. ok is false where there is no place.
func (l *Limit) Count(conn net.Conn) (_ net.Conn, ok bool) {
	if !l.places.tryAcquire() {
		l.places.evictOldest()
		if !l.places.tryAcquire() {
			return nil, false
		}
	}
	return counted(conn, peer.Peer{}, l.places), true
}

func (l *limited) Close() error {
	l.stop.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// A countedConn is a connection with a place, which it gives back when it is closed.
type countedConn struct {
	net.Conn
	peer   peer.Peer
	places *places
	waiter waiter
	once   sync.Once
}

func counted(conn net.Conn, who peer.Peer, places *places) net.Conn {
	c := &countedConn{Conn: conn, peer: who, places: places}
	c.waiter.conn = c
	return netconn.Keep(c)
}

// Close closes the connection, then gives its place back.
func (c *countedConn) Close() error {
	defer c.once.Do(func() {
		c.places.leave(&c.waiter)
		c.places.release()
	})
	return c.Conn.Close()
}

// NetConn returns the connection as it was accepted.
func (c *countedConn) NetConn() net.Conn { return c.Conn }

// Peer is what [peer.Of] asks for.
func (c *countedConn) Peer() peer.Peer { return c.peer }

// SetIdle notes whether a counted connection waits for a request. The connection may
// have wrappers with a method NetConn. A new connection does not count as idle.
func SetIdle(conn net.Conn, idle bool) {
	c, ok := netconn.As[*countedConn](conn)
	switch {
	case !ok:
	case idle:
		c.places.wait(&c.waiter)
	default:
		c.places.leave(&c.waiter)
	}
}
