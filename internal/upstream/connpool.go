package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"avsproxy/internal/exchange"
)

// errNotHTTP2 is what connPool answers where the upstream does not speak HTTP/2; the
// request was not sent.
var errNotHTTP2 = errors.New("the upstream does not speak HTTP/2")

var errClosed = errors.New("the proxy is closing")

// connPool are the HTTP/2 connections to one upstream. Requests that find none share
// one dial. With single set there is one at a time, and requests beyond its streams
// wait for a stream. When the upstream says GOAWAY (RFC 9113 section 6.8) new requests
// go to a successor while old streams finish on their own.
type connPool struct {
	dial    func(gone func(*pooledConn, error)) (*pooledConn, error)
	single  bool
	timeout time.Duration // how long a request waits for a connection
	header  time.Duration // bounds its wait for a stream as well; 0 = it does not
	ping    time.Duration // the longest that we are quiet; 0 = as long as it may be

	// onEvent, if set, hears what becomes of the connections.
	onEvent func(Event, error)
	// connected wakes the keeper; it has room for one.
	connected chan struct{}

	mu      sync.Mutex
	open    []*pooledConn                 // that take requests
	ready   atomic.Pointer[[]*pooledConn] // what open was last
	leaving []*pooledConn                 // that finish what they have
	dialing *pendingDial                  // nil = no dial under way
	back    backOff
	reached bool // there was a connection
	kept    bool // keep runs
	closed  bool
	// When was told that requests wait for a stream, and that the budget is spent.
	warnedFull, warnedSpent time.Time
}

// most is how long a request waits for what is full or refuses it.
func (s *connPool) most() time.Duration {
	if s.header > 0 {
		return min(s.timeout, s.header)
	}
	return s.timeout
}

// get returns a connection that lives, with a place for the request on it, or the error
// of the try to make one. Where a connection was lost the request is held until there is
// another one, for as long as the patience lasts.
func (s *connPool) get(ctx context.Context) (*pooledConn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var last error
	for {
		l, d, wait, err := s.present(false)
		if d != nil {
			l, err = s.dialed(ctx, d)
		}
		if l != nil {
			if taken, full := s.enter(ctx, l); taken || full != nil {
				return l, full
			}
		}
		Sleep(ctx, wait, nil)
		switch {
		case ctx.Err() != nil:
			return nil, s.heldError(ctx, last)
		case err != nil && !s.holds(err):
			return nil, err
		case err != nil:
			last = err
		}
	}
}

// dialed waits for a dial. A connection that it made is fresh, but may have no more
// places; nil = it has none.
func (s *connPool) dialed(ctx context.Context, d *pendingDial) (*pooledConn, error) {
	l, err := d.wait(ctx)
	if l != nil && !s.reserve(l) {
		return nil, nil
	}
	return l, err
}

// enter takes a place on the connection that present returned.
func (s *connPool) enter(ctx context.Context, l *pooledConn) (bool, error) {
	switch {
	case !s.alive(ctx, l):
		return false, nil
	case !s.single: // present has reserved it
		return true, nil
	}
	return s.place(ctx, l)
}

// spent is why no connection is tried for a while; nil = one may be.
func (s *connPool) spent() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.single {
		return nil
	}
	return s.back.spent(time.Now())
}

// holds reports whether a request goes on waiting for a connection after a try that
// ended with err: there was one, and the keeper works on another.
func (s *connPool) holds(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var spent *spentError
	return s.reached && s.kept && !s.closed && err != errNotHTTP2 && !errors.As(err, &spent) && !errors.As(err, new(*tls.CertificateVerificationError))
}

// heldError says that there was no connection in time, by the last try's error where
// there was one.
func (s *connPool) heldError(ctx context.Context, last error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if spent := s.spent(); spent != nil {
		return spent
	}
	return cmp.Or(last, error(connectError{context.DeadlineExceeded}))
}

// present returns a connection with room, or the dial to wait for, or how long the
// next one has to wait. The keeper waits longer than a request has to.
func (s *connPool) present(keeper bool) (*pooledConn, *pendingDial, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, 0, errClosed
	}
	s.sortOutLocked()
	for _, l := range s.open {
		if s.reserve(l) {
			return l, nil, 0, nil
		}
	}
	if s.dialing != nil {
		s.dialing.wanted = s.dialing.wanted || !keeper
		return nil, s.dialing, 0, nil
	}
	now := time.Now()
	switch wait := s.back.wait(now, !keeper); {
	case !s.single || wait == 0:
	case keeper || s.reached && wait <= s.timeout:
		return nil, nil, wait, nil
	case s.back.spent(now) != nil:
		return nil, nil, 0, s.back.spent(now)
	}
	s.back.budget.Spend(now)
	s.dialing = &pendingDial{tried: now, wanted: !keeper, done: make(chan struct{})}
	go s.connect(s.dialing)
	return nil, s.dialing, 0, nil
}

// reserve takes a place for a request. On a single connection requests queue for one.
func (s *connPool) reserve(l *pooledConn) bool {
	return !l.retired() && (s.single || l.session.Reserve() == nil)
}

// sortOutLocked parts what takes no more requests from what does.
func (s *connPool) sortOutLocked() {
	before := len(s.open)
	s.open = slices.DeleteFunc(s.open, func(l *pooledConn) bool {
		retired := l.retired() // asked once: it may become so meanwhile
		if retired {
			s.leaving = append(s.leaving, l)
		}
		return retired
	})
	if len(s.open) < before {
		s.publishLocked()
	}
	s.leaving = slices.DeleteFunc(s.leaving, (*pooledConn).lost)
}

// publishLocked lets the connections be found without the lock.
func (s *connPool) publishLocked() {
	open := slices.Clone(s.open)
	s.ready.Store(&open)
}

func (s *connPool) close() {
	s.mu.Lock()
	s.closed = true
	all := slices.Concat(s.open, s.leaving)
	s.mu.Unlock()
	for _, l := range all {
		l.retire(func() {})
		l.session.Close()
	}
}

// place takes a stream of the single connection for a request, in the order of the
// requests, for as long as ctx and the header timeout allow. false without an error: the
// connection takes no more requests, or ctx has ended.
func (s *connPool) place(ctx context.Context, l *pooledConn) (bool, error) {
	if l.waiting.Load() == 0 && l.session.Reserve() == nil {
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

// connection implements places.
func (s *connPool) connection(ctx context.Context, x *exchange.Exchange, address string) (*pooledConn, error) {
	began := time.Now()
	l, err := s.get(ctx)
	waited := time.Since(began)
	if err != nil {
		x.Note(func(f *exchange.Facts) { f.Connect += waited })
		return nil, err
	}
	noteConn(x, address, l.base, l.used.Swap(true), waited)
	x.SendContinue()
	return l, nil
}
