package tunnel

import (
	"net"
	"sync"
)

// An Inbox is a [net.Listener] whose connections are put into it.
type Inbox struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// NewInbox returns an empty inbox.
func NewInbox() *Inbox {
	return &Inbox{conns: make(chan net.Conn), done: make(chan struct{})}
}

// put waits until conn is accepted; where the inbox is closed, so is conn.
func (b *Inbox) put(conn net.Conn) {
	select {
	case b.conns <- conn:
	case <-b.done:
		conn.Close()
	}
}

// Accept implements [net.Listener].
func (b *Inbox) Accept() (net.Conn, error) {
	select {
	case conn := <-b.conns:
		return conn, nil
	case <-b.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (b *Inbox) Close() error {
	err := net.ErrClosed
	b.once.Do(func() {
		close(b.done)
		err = nil
	})
	return err
}

// Addr implements [net.Listener]. The connections have addresses of their own.
func (b *Inbox) Addr() net.Addr { return inboxAddr{} }

type inboxAddr struct{}

// Network implements [net.Addr].
func (inboxAddr) Network() string { return "connect" }

// String implements [net.Addr].
func (inboxAddr) String() string { return "inside CONNECT" }
