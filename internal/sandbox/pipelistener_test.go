package sandbox

import (
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"
)

// A pipeListener accepts pipes, so that a sandbox runs in a bubble of
// testing/synctest.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

// bubbled starts a sandbox without a network, and returns it with a function that
// connects to AVS and a token for it.
func bubbled(t *testing.T, o Options) (s *Sandbox, connect func() *raw, token string) {
	t.Helper()
	avs := newPipeListener()
	o.LWA, o.AVS = []net.Listener{newPipeListener()}, []net.Listener{avs}
	s = start(t, o)
	connect = func() *raw {
		client, server := net.Pipe()
		avs.conns <- server
		return speak(t, tls.Client(client, &tls.Config{RootCAs: s.Pool(), ServerName: "localhost", NextProtos: []string{"h2"}}), "localhost")
	}
	return s, connect, s.login.grants.issue(grant{}, 24*time.Hour)
}
