package proxy

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// slowAfter is how long a request waits for a stream before that is told.
const slowAfter = time.Second

// tellFullEach is the least time between two such messages.
const tellFullEach = 10 * time.Second

// A fullError says that no stream of the single connection became free in time.
type fullError struct {
	most int // streams that the upstream allows; negative = it did not say
	open int // streams of the connection
}

// Error names what is full.
func (e *fullError) Error() string {
	switch {
	case e.most == 0:
		return "the upstream allows 0 streams on its connection"
	case e.most > 0:
		return fmt.Sprintf("the upstream allows %d streams on its connection and all are in use", e.most)
	}
	return fmt.Sprintf("%d streams are open on the upstream's connection, as many as there can be", e.open)
}

// Unwrap makes it a timeout.
func (e *fullError) Unwrap() error { return context.DeadlineExceeded }

// full says how full the connection is.
func (l *pooledConn) full() *fullError {
	most, said := l.wire.MaxStreams()
	if !said {
		most = -1
	}
	return &fullError{most: most, open: l.conn.InFlight()}
}

// place takes a stream of the single connection for a request, in the order of the
// requests, for as long as ctx and the header timeout allow. false without an error: the
// connection takes no more requests, or ctx has ended.
func (s *connPool) place(ctx context.Context, l *pooledConn) (bool, error) {
	if l.waiting.Load() == 0 && l.conn.Reserve() == nil {
		return true, nil
	}
	slow := time.AfterFunc(slowAfter, func() { s.warnFull(l) })
	defer slow.Stop()
	bounded, cancel := context.WithTimeout(ctx, s.most())
	defer cancel()
	switch {
	case l.awaitStream(bounded):
		return true, nil
	case bounded.Err() == context.DeadlineExceeded:
		return false, l.full()
	}
	return false, nil
}

// awaitStream waits in the queue for the connection's streams. Only who is at its head looks.
func (l *pooledConn) awaitStream(ctx context.Context) bool {
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
	select {
	case l.turn <- struct{}{}: // senders to a channel are served in their order
		defer func() { <-l.turn }()
	case <-l.gone:
		return false
	case <-ctx.Done():
		return false
	}
	freed := make(chan struct{}, 1)
	l.conn.SetStateHook(func(*http.ClientConn) { // must not wait: net/http may hold its locks
		select {
		case freed <- struct{}{}:
		default:
		}
	})
	defer l.conn.SetStateHook(nil)
	for l.conn.Reserve() != nil {
		select {
		case <-freed:
		case <-l.gone:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// release gives back a place on which nothing was sent.
func (l *pooledConn) release() {
	l.conn.Release()
	l.closeIfOver()
}

// closeIfOver closes a connection that takes no more requests once it has none.
func (l *pooledConn) closeIfOver() {
	if l.retired() && l.conn.InFlight() == 0 {
		l.conn.Close()
	}
}

// warnFull tells that requests wait for a stream, once in a while.
func (s *connPool) warnFull(l *pooledConn) {
	now := time.Now()
	s.mu.Lock()
	soon := !s.warnedFull.IsZero() && now.Sub(s.warnedFull) < tellFullEach
	if !soon {
		s.warnedFull = now
	}
	s.mu.Unlock()
	if !soon && !l.retired() {
		s.emit(Full, l.full())
	}
}
