package upstream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Event is what became of the connection to an upstream.
type Event string

const (
	Connected   Event = "connected"   // requests can go
	Left        Event = "left"        // the upstream said goodbye (GOAWAY), as AVS does every hour
	Unused      Event = "unused"      // the upstream ended it in good order soon, and nobody had used it
	Lost        Event = "lost"        // it ended without a goodbye, or does not answer
	Unreachable Event = "unreachable" // a try to connect failed
	Full        Event = "full"        // requests wait for a stream
	Paused      Event = "paused"      // so many connections failed that none is tried for a while
)

const (
	// staleAfter is the silence after which a connection is asked whether it still
	// lives, before a request is entrusted to it.
	staleAfter = 15 * time.Second
	// asleepCheck is how often is looked whether the machine has slept, and
	// asleepLeast what counts as sleep.
	asleepCheck = 15 * time.Second
	asleepLeast = 5 * time.Second
)

func (s *connPool) keep(ctx context.Context) {
	s.setKept(true)
	defer s.setKept(false)
	for ctx.Err() == nil {
		l, d, wait, err := s.present(true)
		if d != nil {
			l, err = d.wait(ctx)
		}
		switch {
		case err == errClosed || err == errNotHTTP2:
			return
		case l != nil:
			select {
			case <-l.gone:
			case <-ctx.Done():
			}
		case d == nil:
			Sleep(ctx, wait, s.connected) // a request may have connected meanwhile
		}
	}
}

func (s *connPool) setKept(kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = kept
}

// watch returns when the connection has ended: one that takes no more requests still has
// streams to finish. It pings a connection on which we were quiet for long, and closes one
// that nobody uses. After the machine has slept it asks whether the connection has survived
// that: timers stood still.
func (s *connPool) watch(l *pooledConn) {
	check := asleepCheck
	if s.ping > 0 {
		check = min(check, s.ping/2)
	}
	ticks := time.NewTicker(check)
	defer ticks.Stop()
	before := time.Now()
	for {
		select {
		case <-l.session.Done():
			return
		case <-ticks.C:
			if !s.single && l.unused() {
				s.closeDead(l, nil)
				return
			}
			now := time.Now()
			quiet := s.ping > 0 && l.session.WriteIdle() >= s.ping-check
			if (quiet || asleep(before, now) > asleepLeast) && !s.answers(context.Background(), l) {
				return
			}
			before = now
		}
	}
}

// asleep is by how much the wall clock went on more than the monotonic one, which stands
// still while the machine sleeps.
func asleep(before, now time.Time) time.Duration {
	return now.Round(0).Sub(before.Round(0)) - now.Sub(before)
}

// alive makes sure that a connection which was silent for long still is one. A dead
// one is closed, with what is under way on it.
func (s *connPool) alive(ctx context.Context, l *pooledConn) bool {
	if l.session.ReadIdle() < staleAfter || s.answers(ctx, l) {
		return true
	}
	if !s.single {
		l.session.Release()
	}
	return false
}

// answers pings a connection, and closes it if it is dead.
func (s *connPool) answers(ctx context.Context, l *pooledConn) bool {
	bounded, cancel := context.WithTimeout(ctx, s.timeout/2) // the other half is for a successor
	defer cancel()
	err := l.session.Ping(bounded)
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
	l.session.Close()
}

// retire makes way for a successor. Streams on the old connection go on; one that has
// none is closed, since nothing can come on it any more and AVS wants one for each
// device. A request that has a place there and no stream yet is never read, and goes to
// the successor. cause is nil where the upstream just said goodbye.
func (s *connPool) retire(l *pooledConn, cause error) {
	if !l.retire(func() { s.emitEnd(l, cause) }) {
		return
	}
	l.session.Retire()
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

func (s *connPool) emit(event Event, err error) {
	if s.onEvent == nil {
		return
	}
	if err != nil {
		err = cause{err}
	}
	s.onEvent(event, err)
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

func (s *connPool) trouble(host string) *Trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sortOutLocked()
	for _, l := range s.open {
		if n := l.waiting.Load(); n > 0 {
			return &Trouble{Detail: fmt.Sprintf("%s: %v; waiting for one: %d", host, l.full(), n), Hint: fullHint}
		}
	}
	var spent *spentError
	if s.single && len(s.open) == 0 && errors.As(s.back.spent(time.Now()), &spent) {
		detail, hint := spent.explain(host)
		return &Trouble{detail, hint, true}
	}
	return nil
}

// connect belongs to no request: the one that started it may hang up while others
// wait.
func (s *connPool) connect(d *pendingDial) {
	made, err := s.dial(s.retire)
	s.mu.Lock()
	switch {
	case err != nil:
	case made.saidGoodbye():
		err = connectError{errGoodbye}
	case !s.single && made.full().most == 0: // another one would be no better
		err = connectError{errNoStreams}
	}
	over := s.closed || err != nil
	s.back.end(time.Now(), err)
	if d.err = err; err == nil {
		made.listed, made.tried, made.wanted = true, d.tried, d.wanted
		d.link = made
		s.open = append(s.open, made)
		s.publishLocked()
		s.reached = true
	}
	s.dialing = nil
	s.mu.Unlock()
	if over && made != nil {
		made.session.Close()
	}
	close(d.done)
	if d.err == nil {
		go s.watch(made)
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
