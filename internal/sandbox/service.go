package sandbox

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// handshakeTimeout is what a client has for its TLS handshake and its first words.
const handshakeTimeout = 10 * time.Second

// An engine speaks HTTP over TLS.
type engine interface {
	// serve accepts connections until the listener or the engine is shut.
	serve(net.Listener)
	// shut closes the listeners and the connections, and does not wait.
	shut() error
	// wait returns when nothing runs any more. All calls of serve have returned.
	wait()
	counts() (open, total int)
}

// A site is one of the two services: an engine on its listeners.
type site struct {
	engine  engine
	serving sync.WaitGroup
	port    int
}

func (s *site) serve(listeners []net.Listener) error {
	if len(listeners) == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("starting the sandbox: %w", err)
		}
		listeners = []net.Listener{l}
	}
	s.port = listeners[0].Addr().(*net.TCPAddr).Port
	for _, l := range listeners {
		s.serving.Go(func() { s.engine.serve(l) })
	}
	return nil
}

func (s *site) url() string { return fmt.Sprintf("https://localhost:%d", s.port) }

// close returns when nothing of the site runs any more. The order matters: new
// connections come from the listeners, new handlers from connections.
func (s *site) close() error {
	err := s.engine.shut()
	s.serving.Wait()
	s.engine.wait()
	return err
}
