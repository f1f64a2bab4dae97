package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// A cable carries connections in memory, which a bubble of testing/synctest needs,
// and can be cut off: while it is frozen nothing is delivered and nobody is reached.
type cable struct {
	mu        sync.Mutex
	listeners map[int]*cableListener // by port
	halves    []*half                // of connections, those that are over too
	thawed    chan struct{}          // closed while the cable works
}

func newCable() *cable {
	l := &cable{listeners: map[int]*cableListener{}, thawed: make(chan struct{})}
	close(l.thawed)
	return l
}

// listen takes the next port.
func (l *cable) listen() net.Listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	port := 1 + len(l.listeners)
	l.listeners[port] = &cableListener{port: port, conns: make(chan net.Conn), done: make(chan struct{})}
	return l.listeners[port]
}

// dial is for [upstream.Options.Dial] and [http.Transport.DialContext].
func (l *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	thawed := l.thawed
	l.mu.Unlock()
	select {
	case <-thawed:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	listener, err := l.find(address)
	if err != nil {
		return nil, err
	}
	client, server := l.pair(listener.Addr())
	select {
	case listener.conns <- server:
		return client, nil
	case <-listener.done:
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *cable) find(address string) (*cableListener, error) {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, _ := strconv.Atoi(text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if listener := l.listeners[port]; listener != nil {
		return listener, nil
	}
	return nil, fmt.Errorf("nobody listens on %s", address)
}

func (l *cable) pair(addr net.Addr) (client, server *cableConn) {
	up, down := newHalf(), newHalf()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halves = append(l.halves, up, down)
	return &cableConn{in: down, out: up, addr: addr}, &cableConn{in: up, out: down, addr: addr}
}

// freeze stops all delivery.
func (l *cable) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.thawed = make(chan struct{})
	for _, h := range l.halves {
		h.set(func() { h.held = true })
	}
}

// thaw undoes freeze.
func (l *cable) thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.thawed)
	for _, h := range l.halves {
		h.set(func() { h.held = false })
	}
}

// lose makes a black hole of the present connections, as a router does that has
// forgotten them: neither bytes nor ends arrive any more.
func (l *cable) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.halves {
		h.set(func() { h.lost, h.sent = true, nil })
	}
	l.halves = nil
}

type cableListener struct {
	port  int
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// Accept implements [net.Listener].
func (l *cableListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *cableListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements [net.Listener].
func (l *cableListener) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: l.port}
}

// A cableConn is one end of a connection. Writes never wait.
type cableConn struct {
	in, out *half
	addr    net.Addr
}

func (c *cableConn) Read(p []byte) (int, error)         { return c.in.read(p) }
func (c *cableConn) Write(p []byte) (int, error)        { return c.out.write(p) }
func (c *cableConn) LocalAddr() net.Addr                { return c.addr }
func (c *cableConn) RemoteAddr() net.Addr               { return c.addr }
func (c *cableConn) SetWriteDeadline(_ time.Time) error { return nil }
func (c *cableConn) SetDeadline(t time.Time) error      { return c.SetReadDeadline(t) }

func (c *cableConn) SetReadDeadline(t time.Time) error {
	c.in.set(func() { c.in.deadline = t })
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), func() { c.in.set(func() {}) })
	}
	return nil
}

// Close ends both directions, as TCP does when nobody is left to read.
func (c *cableConn) Close() error {
	c.out.set(func() { c.out.ended = true })
	c.in.set(func() { c.in.shut = true })
	return nil
}

// A half is one direction of a connection.
type half struct {
	mu       sync.Mutex
	changed  *sync.Cond
	sent     []byte // and not read yet
	held     bool   // nothing arrives for now
	lost     bool   // nothing arrives any more
	ended    bool   // by the writer
	shut     bool   // by the reader
	deadline time.Time
}

func newHalf() *half {
	h := &half{}
	h.changed = sync.NewCond(&h.mu)
	return h
}

func (h *half) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
	h.changed.Broadcast()
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		arrives := !h.held && !h.lost
		switch {
		case h.shut:
			return 0, net.ErrClosed
		case !h.deadline.IsZero() && !time.Now().Before(h.deadline):
			return 0, os.ErrDeadlineExceeded
		case arrives && len(h.sent) > 0:
			n := copy(p, h.sent)
			h.sent = h.sent[n:]
			return n, nil
		case arrives && h.ended:
			return 0, io.EOF
		}
		h.changed.Wait()
	}
}

func (h *half) write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ended:
		return 0, net.ErrClosed
	case h.shut && !h.held && !h.lost:
		return 0, io.ErrClosedPipe
	case !h.lost:
		h.sent = append(h.sent, p...)
		h.changed.Broadcast()
	}
	return len(p), nil
}
