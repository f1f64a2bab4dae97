package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"time"
)

// errNotHTTP2 is what links answer where the upstream does not speak HTTP/2; the
// request was not sent.
var errNotHTTP2 = errors.New("the upstream does not speak HTTP/2")

var errClosed = errors.New("the proxy is closing")

// links are the HTTP/2 connections to one upstream. Requests that find none share
// one dial. With single set there is one at a time, and requests beyond its streams
// wait for a stream. When the upstream says GOAWAY (RFC 9113 section 6.8) new requests
// go to a successor while old streams finish on their own.
type links struct {
	dial     func(gone func(*link, error)) (*link, error)
	single   bool
	patience time.Duration // how long a request waits for a connection
	ping     time.Duration // the longest that we are quiet; 0 = as long as it may be

	// told, if set, hears what becomes of the connections.
	told func(LinkEvent, error)
	// connected wakes the keeper; it has room for one.
	connected chan struct{}

	mu      sync.Mutex
	open    []*link  // that take requests
	leaving []*link  // that finish what they have
	dialing *dialing // nil = no dial under way
	back    backOff
	reached bool // there was a connection
	kept    bool // keep runs
	closed  bool
}

// get returns a connection that lives, or the error of the try to make one. Where a
// connection was lost the request is held until there is another one, for as long as
// the patience lasts.
func (s *links) get(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	var last error
	for {
		l, d, wait, err := s.present(false)
		switch {
		case l != nil && s.alive(ctx, l):
			return l, nil
		case d != nil:
			if l, err = d.wait(ctx); l != nil && s.reserve(l) {
				return l, nil
			}
		case wait > 0:
			sleep(ctx, wait, nil)
		}
		switch {
		case ctx.Err() != nil:
			return nil, heldError(ctx, last)
		case err != nil && !s.holds(err):
			return nil, err
		case err != nil:
			last = err
		}
	}
}

// holds reports whether a request goes on waiting for a connection after a try that
// ended with err: there was one, and the keeper works on another.
func (s *links) holds(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reached && s.kept && !s.closed && err != errNotHTTP2 && !errors.As(err, new(*tls.CertificateVerificationError))
}

// heldError is the last try's error, or says that there was none in time.
func heldError(ctx context.Context, last error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if last != nil {
		return last
	}
	return connectError{context.DeadlineExceeded}
}

// present returns a connection with room, or the dial to wait for, or how long the
// next one has to wait. The keeper waits longer than a request has to.
func (s *links) present(keeper bool) (*link, *dialing, time.Duration, error) {
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
		return nil, s.dialing, 0, nil
	}
	now := time.Now()
	switch wait := s.back.wait(now, !keeper); {
	case !s.single || wait == 0:
	case keeper || s.reached && s.kept:
		return nil, nil, wait, nil
	case s.back.budget.wait(now) > 0:
		return nil, nil, 0, s.back.err
	}
	s.back.budget.spend(now)
	s.dialing = &dialing{done: make(chan struct{})}
	go s.connect(s.dialing)
	return nil, s.dialing, 0, nil
}

// reserve takes a place for a request. On a single connection requests queue for one.
func (s *links) reserve(l *link) bool {
	return !l.retired() && (s.single || l.conn.Reserve() == nil)
}

// sortOutLocked parts what takes no more requests from what does.
func (s *links) sortOutLocked() {
	s.open = slices.DeleteFunc(s.open, func(l *link) bool {
		retired := l.retired() // asked once: it may become so meanwhile
		if retired {
			s.leaving = append(s.leaving, l)
		}
		return retired
	})
	s.leaving = slices.DeleteFunc(s.leaving, (*link).lost)
}

func (s *links) close() {
	s.mu.Lock()
	s.closed = true
	all := slices.Concat(s.open, s.leaving)
	s.mu.Unlock()
	for _, l := range all {
		l.retire(func() {})
		l.conn.Close()
	}
}
