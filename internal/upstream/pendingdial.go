package upstream

import (
	"context"
	"errors"
	"time"
)

var errGoodbye = errors.New("the upstream ended the connection")

var errNoStreams = errors.New("the upstream allows no streams on a new connection")

// A pendingDial is shared by all that wait for it. Its result is fixed once done is
// closed.
type pendingDial struct {
	tried  time.Time // when it began
	wanted bool      // by a request, and not by the keeper alone; under the pool's lock
	done   chan struct{}
	link   *pooledConn
	err    error
}

func (d *pendingDial) wait(ctx context.Context) (*pooledConn, error) {
	select {
	case <-d.done:
		return d.link, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// connect belongs to no request: the one that started it may hang up while others
// wait.
func (s *connPool) connect(d *pendingDial) {
	made, err := s.dial(s.retire)
	s.mu.Lock()
	switch {
	case err != nil:
	case made.retired():
		err = connectError{errGoodbye}
	case !s.single && made.conn.Available() == 0: // another one would be no better
		err = connectError{errNoStreams}
	}
	over := s.closed || err != nil
	s.back.end(time.Now(), err)
	if d.err = err; err == nil {
		made.listed, made.tried, made.wanted = true, d.tried, d.wanted
		d.link = made
		s.open = append(s.open, made)
		s.reached = true
	}
	s.dialing = nil
	s.mu.Unlock()
	if over && made != nil {
		made.conn.Close()
	}
	close(d.done)
	if d.err == nil {
		select {
		case s.connected <- struct{}{}:
		default:
		}
		s.emit(Connected, nil)
	} else if d.err != errNotHTTP2 {
		s.emit(Unreachable, d.err)
		s.warnSpent()
	}
}
