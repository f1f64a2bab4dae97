package testkit

import (
	"context"
	"net"
	"sync"
)

// A PipeListener accepts the far ends of pipes, whose deadlines follow the clock of
// synctest.
type PipeListener struct {
	Errors chan error // what Accept fails with
	conns  chan net.Conn
	done   chan struct{}
	close  sync.Once
}

// A PipeEnd is what a [PipeListener] accepts.
type PipeEnd struct{ net.Conn }

// NewPipeListener returns one that holds up to 16 connections until they are accepted.
func NewPipeListener() *PipeListener {
	return &PipeListener{Errors: make(chan error), conns: make(chan net.Conn, 16), done: make(chan struct{})}
}

// Dial returns the near end of a new pipe.
func (l *PipeListener) Dial() net.Conn {
	near, far := net.Pipe()
	l.conns <- &PipeEnd{far}
	return near
}

// DialContext is [PipeListener.Dial] for a transport.
func (l *PipeListener) DialContext(context.Context, string, string) (net.Conn, error) {
	return l.Dial(), nil
}

// Accept implements [net.Listener].
func (l *PipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case err := <-l.Errors:
		return nil, err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *PipeListener) Close() error {
	l.close.Do(func() { close(l.done) })
	return nil
}

// Addr implements [net.Listener].
func (l *PipeListener) Addr() net.Addr { return &net.TCPAddr{} }
