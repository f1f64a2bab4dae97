package tunnel

import (
	"net"
	"sync"
)

// A ConnQueue is a [net.Listener] whose connections come from put.
type ConnQueue struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// NewConnQueue returns an empty queue.
func NewConnQueue() *ConnQueue {
	return &ConnQueue{conns: make(chan net.Conn), done: make(chan struct{})}
}

// put waits until conn is accepted. It closes conn when the queue is closed.
func (q *ConnQueue) put(conn net.Conn) {
	select {
	case q.conns <- conn:
	case <-q.done:
		conn.Close()
	}
}

// Accept implements [net.Listener].
func (q *ConnQueue) Accept() (net.Conn, error) {
	select {
	case conn := <-q.conns:
		return conn, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (q *ConnQueue) Close() error {
	err := net.ErrClosed
	q.once.Do(func() {
		close(q.done)
		err = nil
	})
	return err
}

// Addr implements [net.Listener]. The connections have their own addresses.
func (q *ConnQueue) Addr() net.Addr { return textAddr{"connect", "inside CONNECT"} }

// A textAddr is an address without IP address and port.
type textAddr struct{ network, text string }

// Network implements [net.Addr].
func (a textAddr) Network() string { return a.network }

// String implements [net.Addr].
func (a textAddr) String() string { return a.text }
