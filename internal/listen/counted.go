package listen

import (
	"net"
	"sync"

	"avsproxy/internal/netconn"
	"avsproxy/internal/peer"
)

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
