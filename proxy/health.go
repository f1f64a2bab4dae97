package proxy

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// staleAfter is the silence after which a connection is asked whether it still
// lives, before a request is entrusted to it.
const staleAfter = 15 * time.Second

// alive makes sure that a connection which was silent for long still is one. A dead
// one is closed, with what is under way on it.
func (s *connPool) alive(ctx context.Context, l *pooledConn) bool {
	if l.wire.ReadIdle() < staleAfter || s.answers(ctx, l) {
		return true
	}
	if !s.single {
		l.conn.Release()
	}
	return false
}

// answers pings a connection, and closes it if it is dead.
func (s *connPool) answers(ctx context.Context, l *pooledConn) bool {
	bounded, cancel := context.WithTimeout(ctx, s.timeout/2) // the other half is for a successor
	defer cancel()
	err := l.wire.Ping(bounded)
	if err == nil {
		return true
	}
	if ctx.Err() == nil {
		s.closeDead(l, fmt.Errorf("a ping was not answered: %w", err))
	}
	return false
}

// closeDead closes a connection that is dead, with what is under way on it.
func (s *connPool) closeDead(l *pooledConn, cause error) {
	s.retire(l, cause)
	l.conn.Close()
}

// retire makes way for a successor. Streams on the old connection go on; one that has
// none is closed, since nothing can come on it any more and AVS wants one for each
// device. A request that has a place there and no stream yet is never read, and goes to
// the successor. cause is nil where the upstream just said goodbye.
func (s *connPool) retire(l *pooledConn, cause error) {
	if !l.retire(func() { s.emitEnd(l, cause) }) {
		return
	}
	l.closeIfOver()
	s.mu.Lock()
	s.sortOutLocked()
	if l.listed { // else connect sees it
		s.back.lost(time.Now(), l.endLocked(cause))
	}
	s.mu.Unlock()
	s.warnSpent()
}

// warnSpent tells that no connection is tried for a while, once.
func (s *connPool) warnSpent() {
	s.mu.Lock()
	now := time.Now()
	spent := s.back.spent(now)
	if again := !s.warnedSpent.IsZero() && now.Sub(s.warnedSpent) < triesSpan; !s.single || again {
		spent = nil
	}
	if spent != nil {
		s.warnedSpent = now
	}
	s.mu.Unlock()
	if spent != nil {
		s.emit(Paused, spent)
	}
}

// endLocked says how the connection ended. The lock is that of the pool.
func (l *pooledConn) endLocked(cause error) connEnd {
	return connEnd{
		cause: cmp.Or(cause, errGoodbye), tried: l.tried,
		used: l.wanted || l.used.Load(), served: l.answered.Load() || l.wire.Took(), well: l.wire.EndedWell(),
	}
}

func (s *connPool) emitEnd(l *pooledConn, cause error) {
	s.mu.Lock()
	closed, unneeded := s.closed, s.back.isUnneeded(time.Now(), l.endLocked(cause))
	s.mu.Unlock()
	switch {
	case closed:
	case unneeded:
		s.emit(Unused, nil)
	case cause == nil:
		s.emit(Left, nil)
	default:
		s.emit(Lost, cause)
	}
}

func (s *connPool) emit(event ConnEvent, err error) {
	if s.onEvent == nil {
		return
	}
	if err != nil {
		err = cause{err}
	}
	s.onEvent(event, err)
}
