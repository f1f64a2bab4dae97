package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"avsproxy/internal/wire"
)

// errNotHTTP2 is what links answer where the upstream does not speak HTTP/2; the
// request was not sent.
var errNotHTTP2 = errors.New("the upstream does not speak HTTP/2")

var errGoodbye = errors.New("the upstream ended the connection")

var errNoStreams = errors.New("the upstream allows no streams on a new connection")

var errClosed = errors.New("the proxy is closing")

const (
	// sendTries bounds how often one request is offered to a fresh connection.
	sendTries = 3
	// staleAfter is the silence after which a connection is asked whether it still
	// lives, before a request is entrusted to it.
	staleAfter = 15 * time.Second
	// dialGrace is by how much a dial ends before the patience does: it says itself what
	// it waited for.
	dialGrace = 100 * time.Millisecond
)

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

// A dialing is shared by all that wait for it. Its result is fixed once done is
// closed.
type dialing struct {
	done chan struct{}
	link *link
	err  error
}

// An unprocessed error is about a request that the upstream did not and will not
// look at (RFC 9113 section 8.7).
type unprocessed struct{ error }

// Unwrap returns the cause.
func (u unprocessed) Unwrap() error { return u.error }

// RoundTrip sends a request again where that is safe: the upstream did not look at it
// and its body can begin anew, or the connection was lost under a request that only
// asks.
func (s *links) RoundTrip(req *http.Request) (*http.Response, error) {
	body := sendableOf(req)
	for try := 1; ; try++ {
		began := time.Now()
		l, err := s.get(req.Context())
		note(req.Context(), func(e *Exchange) { e.Connect += time.Since(began) })
		if err == errNotHTTP2 && try == 1 {
			return nil, err // the caller sends the request, body and all, in another way
		}
		if err == errNotHTTP2 { // it did before: the body has begun
			err = unprocessed{err}
		}
		if err != nil {
			body.close()
			return nil, err
		}
		sending(req.Context())
		noteHop(req, Hop{Conn: l.number, Reused: l.used.Swap(true)})
		resp, stream, err := l.roundTrip(body.attempt(req))
		if err == nil {
			body.forget()
			l.tellLeaving(req.Context())
			return resp, nil
		}
		fate := fateOf(req, l, stream)
		if fate == onlyAsked && try > 1 { // its answer may be what ends connections
			fate = mayHaveBeenRead
		}
		if l.retired() {
			s.retire(l, err)
		}
		if fate == mayHaveBeenRead || !body.restartable() || req.Context().Err() != nil || try == sendTries {
			body.close()
			return nil, fate.told(err)
		}
	}
}

// A fate is what is known of a request that failed.
type fate int

const (
	mayHaveBeenRead fate = iota
	onlyAsked            // it may have been read, and may be sent again
	neverRead
)

func fateOf(req *http.Request, l *link, stream *wire.Stream) fate {
	switch {
	case stream == nil || stream.Unprocessed():
		return neverRead
	case (l.lost() || l.conn.Err() != nil) && onlyAsks(req):
		return onlyAsked
	}
	return mayHaveBeenRead
}

func (f fate) told(err error) error {
	if f == neverRead && !errors.Is(err, context.Canceled) {
		return unprocessed{err}
	}
	return err
}

// onlyAsks reports whether a request is safe (RFC 9110 section 9.2.1) and has no body.
func onlyAsks(req *http.Request) bool {
	return (req.Body == nil || req.Body == http.NoBody) &&
		(req.Method == http.MethodGet || req.Method == http.MethodHead || req.Method == http.MethodOptions)
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
			_ = sleepFor(ctx, wait) // its error is the context's
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

func (d *dialing) wait(ctx context.Context) (*link, error) {
	select {
	case <-d.done:
		return d.link, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func sleepFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
	case s.back.spent(now):
		return nil, nil, 0, s.back.err
	}
	s.back.begin(now)
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
	for _, l := range s.open {
		if l.retired() {
			s.leaving = append(s.leaving, l)
		}
	}
	s.open = slices.DeleteFunc(s.open, (*link).retired)
	s.leaving = slices.DeleteFunc(s.leaving, (*link).lost)
}

// alive makes sure that a connection which was silent for long still is one. A dead
// one is closed, with what is under way on it.
func (s *links) alive(ctx context.Context, l *link) bool {
	if l.wire.Silence() < staleAfter || s.answers(ctx, l) {
		return true
	}
	if !s.single {
		l.conn.Release()
	}
	return false
}

// answers pings a connection, and closes it if it is dead.
func (s *links) answers(ctx context.Context, l *link) bool {
	bounded, cancel := context.WithTimeout(ctx, s.patience/2) // the other half is for a successor
	defer cancel()
	err := l.wire.Ping(bounded)
	if err == nil {
		return true
	}
	if ctx.Err() == nil {
		s.lose(l, fmt.Errorf("a ping was not answered: %w", err))
	}
	return false
}

// lose closes a connection that is dead, with what is under way on it.
func (s *links) lose(l *link, cause error) {
	s.retire(l, cause)
	l.conn.Close()
}

// connect belongs to no request: the one that started it may hang up while others
// wait.
func (s *links) connect(d *dialing) {
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
		made.listed = true
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
		s.tell(Connected, nil)
	} else if d.err != errNotHTTP2 {
		s.tell(Unreachable, d.err)
	}
}

// retire makes way for a successor. Streams on the old connection go on; one that has
// none is closed. cause is nil where the upstream just said goodbye.
func (s *links) retire(l *link, cause error) {
	if !l.retire(func() { s.tellEnd(cause) }) {
		return
	}
	if l.conn.InFlight() == 0 {
		l.conn.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sortOutLocked()
	if l.listed {
		s.back.lost(time.Now(), connectError{cmp.Or(cause, errGoodbye)})
	} // else connect sees it
}

func (s *links) tellEnd(cause error) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	switch {
	case closed:
	case cause == nil:
		s.tell(Left, nil)
	default:
		s.tell(Lost, cause)
	}
}

func (s *links) tell(event LinkEvent, err error) {
	if s.told == nil {
		return
	}
	if err != nil {
		err = cause{err}
	}
	s.told(event, err)
}

func (s *links) close() {
	s.mu.Lock()
	s.closed = true
	all := append(s.open, s.leaving...)
	s.mu.Unlock()
	for _, l := range all {
		l.retire(func() {})
		l.conn.Close()
	}
}
