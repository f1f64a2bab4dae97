package listen

import (
	"net"
	"sync"
	"testing"

	"avsproxy/internal/testkit"
)

// pipes is a listener over net.Pipe, whose deadlines follow the clock of synctest.
type pipes struct {
	conns chan pipe
	errs  chan error
	done  chan struct{}
	stop  sync.Once
}

type pipe struct{ near, far net.Conn }

// pipeEnd marks what the listener accepted.
type pipeEnd struct{ net.Conn }

func newPipe() pipe {
	near, far := net.Pipe()
	return pipe{&pipeEnd{near}, far}
}

func newPipes() *pipes {
	return &pipes{conns: make(chan pipe, 16), errs: make(chan error), done: make(chan struct{})}
}

func (p *pipes) dial() net.Conn {
	c := newPipe()
	p.conns <- c
	return c.far
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c.near, nil
	case err := <-p.errs:
		return nil, err
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.stop.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func mustAccept(t *testing.T, ln net.Listener) net.Conn {
	t.Helper()
	return testkit.Must(ln.Accept())(t)
}
