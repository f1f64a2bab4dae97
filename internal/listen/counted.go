package listen

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"avsproxy/internal/peer"
)

// A slot is the place that a connection takes.
type slot struct {
	limit  *Limit
	conn   net.Conn
	peer   peer.Peer
	places chan struct{}
	idle   atomic.Int64 // since when, as Unix time in nanoseconds; 0 = it is not
	once   sync.Once
}

// take takes one of the places, if one is free.
func (s *slot) take(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		s.places = places
		return true
	default:
		return false
	}
}

func (s *slot) free() {
	s.once.Do(func() {
		s.limit.mu.Lock()
		delete(s.limit.open, s)
		s.limit.mu.Unlock()
		<-s.places
	})
}

// SetIdle notes that a counted connection, which may be wrapped in anything that has a method NetConn, waits for a
// request from now on, or has one. Until then it is not idle.
func SetIdle(conn net.Conn, idle bool) {
	for conn != nil {
		if c, ok := conn.(interface{ place() *slot }); ok {
			c.place().setIdle(idle)
			return
		}
		wrapped, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return
		}
		conn = wrapped.NetConn()
	}
}

func (s *slot) setIdle(idle bool) {
	if !idle {
		s.idle.Store(0)
		return
	}
	s.idle.Store(time.Now().UnixNano())
}

func (s *slot) place() *slot { return s }

// Peer is what [peer.Of] asks for.
func (s *slot) Peer() peer.Peer { return s.peer }

// The types differ in what they let through of the connection below.
type (
	countedTCP struct {
		*net.TCPConn
		*slot
	}
	countedUnix struct {
		*net.UnixConn
		*slot
	}
	countedConn struct {
		net.Conn
		*slot
	}
)

func counted(conn net.Conn, s *slot) net.Conn {
	switch conn := conn.(type) {
	case *net.TCPConn:
		return countedTCP{conn, s}
	case *net.UnixConn:
		return countedUnix{conn, s}
	}
	return countedConn{conn, s}
}

func (c countedTCP) Close() error {
	defer c.free()
	return c.TCPConn.Close()
}

func (c countedUnix) Close() error {
	defer c.free()
	return c.UnixConn.Close()
}

func (c countedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}

func (c countedTCP) NetConn() net.Conn  { return c.TCPConn }
func (c countedUnix) NetConn() net.Conn { return c.UnixConn }
func (c countedConn) NetConn() net.Conn { return c.Conn }
