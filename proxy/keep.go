package proxy

import (
	"context"
	"sync"
	"time"
)

// A LinkEvent is what became of the connection to an upstream.
type LinkEvent string

const (
	Connected   LinkEvent = "connected"   // requests can go
	Left        LinkEvent = "left"        // the upstream said goodbye (GOAWAY), as AVS does every hour
	Lost        LinkEvent = "lost"        // it ended without a goodbye, or does not answer
	Unreachable LinkEvent = "unreachable" // a try to connect failed
)

const (
	// asleepCheck is how often is looked whether the machine has slept, and
	// asleepLeast what counts as sleep.
	asleepCheck = 15 * time.Second
	asleepLeast = 5 * time.Second
)

// Keep makes the single connection ahead of the first request, and again whenever it is
// lost: after 0.25, 1, 3, 5, 10 and then every 20 s, each times 0.67 to 1.5, and never
// more than 50 times in 10 minutes. While it runs, requests that find the connection
// lost wait for the next one, up to the dial timeout. It returns when ctx ends; at once
// where SingleConnection is not set, and when the upstream turns out to speak no HTTP/2.
func (u *Upstream) Keep(ctx context.Context) {
	if !u.links.single {
		return
	}
	u.links.keep(ctx)
}

func (s *links) keep(ctx context.Context) {
	var leaving sync.WaitGroup
	defer leaving.Wait()
	s.setKept(true)
	defer s.setKept(false)
	for ctx.Err() == nil {
		l, d, wait, err := s.present(true)
		switch {
		case err != nil: // closed
			return
		case l != nil:
			s.watch(ctx, l, l.gone)
			leaving.Go(func() { s.watch(ctx, l, l.wire.Done()) })
		case d != nil:
			if _, err := d.wait(ctx); err == errNotHTTP2 {
				return
			}
		default:
			sleep(ctx, wait, s.connected) // a request may have connected meanwhile
		}
	}
}

func (s *links) setKept(kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = kept
}

// watch returns when the time is over, and when the connection is dead. It pings one on
// which we were quiet for long: net/http does that only where the upstream is. And after
// the machine has slept it asks whether the connection has survived that: timers stood
// still. A connection that takes no more requests still has streams to finish.
func (s *links) watch(ctx context.Context, l *link, over <-chan struct{}) {
	check := asleepCheck
	if s.ping > 0 {
		check = min(check, s.ping/2)
	}
	ticks := time.NewTicker(check)
	defer ticks.Stop()
	before := time.Now()
	for {
		select {
		case <-over:
			return
		case <-ctx.Done():
			return
		case <-ticks.C:
			now := time.Now()
			quiet := s.ping > 0 && l.wire.Quiet() >= s.ping-check
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
