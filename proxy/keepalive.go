package proxy

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A ConnEvent is what became of the connection to an upstream.
type ConnEvent string

const (
	Connected   ConnEvent = "connected"   // requests can go
	Left        ConnEvent = "left"        // the upstream said goodbye (GOAWAY), as AVS does every hour
	Unused      ConnEvent = "unused"      // the upstream ended it in good order soon, and nobody had used it
	Lost        ConnEvent = "lost"        // it ended without a goodbye, or does not answer
	Unreachable ConnEvent = "unreachable" // a try to connect failed
	Full        ConnEvent = "full"        // requests wait for a stream
	Paused      ConnEvent = "paused"      // so many connections failed that none is tried for a while
)

const (
	// asleepCheck is how often is looked whether the machine has slept, and
	// asleepLeast what counts as sleep.
	asleepCheck = 15 * time.Second
	asleepLeast = 5 * time.Second
)

// Keep makes the single connection ahead of the first request, and again whenever it is
// lost: after 0.25, 1, 3, 5, 10 and then every 20 s, each times 0.67 to 1.5. It makes the
// same pauses where the upstream ends connections that nobody uses; a request does not
// wait for those. No connection is tried after 50 within 10 minutes that failed, were lost,
// or ended without having served. While it runs, requests that find the connection lost
// wait for the next one, up to the dial timeout. It returns when ctx ends; at once where
// SingleConnection is not set, and when the upstream turns out to speak no HTTP/2.
func (u *Upstream) Keep(ctx context.Context) {
	if !u.pool.single {
		return
	}
	u.pool.keep(ctx)
}

func (s *connPool) keep(ctx context.Context) {
	var watched sync.WaitGroup
	defer watched.Wait()
	s.setKept(true)
	defer s.setKept(false)
	for ctx.Err() == nil {
		l, d, wait, err := s.present(true)
		if d != nil {
			l, err = d.wait(ctx)
		}
		for _, each := range s.unwatched() {
			watched.Go(func() { s.watch(ctx, each) })
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
			sleep(ctx, wait, s.connected) // a request may have connected meanwhile
		}
	}
}

// unwatched are the connections that nobody watches yet; one may have been made, and told
// to go, by requests alone.
func (s *connPool) unwatched() (list []*pooledConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range slices.Concat(s.open, s.leaving) {
		if !l.watched {
			l.watched = true
			list = append(list, l)
		}
	}
	return list
}

func (s *connPool) setKept(kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = kept
}

// watch returns when the connection has ended: one that takes no more requests still has
// streams to finish. It pings a connection on which we were quiet for long: net/http does
// that only where the upstream is. And after the machine has slept it asks whether the
// connection has survived that: timers stood still.
func (s *connPool) watch(ctx context.Context, l *pooledConn) {
	check := asleepCheck
	if s.ping > 0 {
		check = min(check, s.ping/2)
	}
	ticks := time.NewTicker(check)
	defer ticks.Stop()
	before := time.Now()
	for {
		select {
		case <-l.wire.Done():
			return
		case <-ctx.Done():
			return
		case <-ticks.C:
			now := time.Now()
			quiet := s.ping > 0 && l.wire.WriteIdle() >= s.ping-check
			if (quiet || asleep(before, now) > asleepLeast) && !s.answers(ctx, l) {
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
