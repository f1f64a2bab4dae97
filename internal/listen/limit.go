package listen

import (
	"net"
	"sync"
)

// A Limit bounds how many connections are open at once, on all listeners that share it.
type Limit struct{ slots chan struct{} }

// NewLimit returns a limit of that many connections, at least one.
func NewLimit(most int) *Limit { return &Limit{make(chan struct{}, max(most, 1))} }

// Listener returns ln with its connections counted until they are closed. When there are as many as the limit allows,
// the next one waits until another is closed; those behind it wait in the system's queue. A connection keeps what TCP
// and unix connections can do, and its NetConn returns what ln accepted.
func (l *Limit) Listener(ln net.Listener) net.Listener {
	return &limited{Listener: ln, limit: l, done: make(chan struct{})}
}

type limited struct {
	net.Listener
	limit *Limit
	stop  sync.Once
	done  chan struct{}
}

// Accept takes a slot after the connection came: listeners that are idle hold none.
func (l *limited) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case l.limit.slots <- struct{}{}:
		return counted(conn, &slot{limit: l.limit}), nil
	case <-l.done:
		conn.Close()
		return nil, net.ErrClosed
	}
}

func (l *limited) Close() error {
	l.stop.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type slot struct {
	limit *Limit
	once  sync.Once
}

func (s *slot) free() { s.once.Do(func() { <-s.limit.slots }) }

// The types differ in what they let through of the connection below.
type (
	countedTCP struct {
		*net.TCPConn
		slot *slot
	}
	countedUnix struct {
		*net.UnixConn
		slot *slot
	}
	countedConn struct {
		net.Conn
		slot *slot
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
	defer c.slot.free()
	return c.TCPConn.Close()
}

func (c countedUnix) Close() error {
	defer c.slot.free()
	return c.UnixConn.Close()
}

func (c countedConn) Close() error {
	defer c.slot.free()
	return c.Conn.Close()
}

func (c countedTCP) NetConn() net.Conn  { return c.TCPConn }
func (c countedUnix) NetConn() net.Conn { return c.UnixConn }
func (c countedConn) NetConn() net.Conn { return c.Conn }
