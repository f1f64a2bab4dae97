package tokens

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// A Source hands out the access token of one credential and keeps its grant
// alive. Set the exported fields before the first call; after that it is safe
// for concurrent use.
type Source struct {
	// Name is the credential's name, the key into the store.
	Name string
	// Kind is the configured OAuth grant, such as "authorization_code".
	Kind  string
	Store Store
	// Renew obtains a successor of a grant from the provider. Nil = the token
	// cannot be renewed (a static one).
	Renew func(ctx context.Context, old Grant) (Grant, error)
	// Revoke tells the provider that a grant is no longer wanted; nil = it has no
	// way to be told.
	Revoke func(ctx context.Context, grant Grant) error
	// Fits reports whether a stored grant belongs to the present configuration;
	// nil accepts all. One that does not fit is ignored, not deleted.
	Fits func(Grant) bool
	// Initial is what to start from while the store holds nothing that fits:
	// an imported refresh token or a static token. The zero value = a login.
	Initial Grant
	// Timeout bounds one renewal, the wait for the store's lock included.
	// Zero = 30 s.
	Timeout time.Duration
	// Outcome, if set, hears how each renewal ended: "renewed", "adopted" (another
	// process had done it), "failed", "login_needed" or "unsaved". It must not block.
	Outcome func(outcome string)

	mu       sync.Mutex
	grant    Grant
	unsaved  error    // why the store does not hold grant; nil = it does
	flight   *renewal // the one under way; nil = none
	failure  *Error   // how the last one failed; nil = it did not
	failures int      // in a row, for the back-off
	retryAt  time.Time
	rejected Secret    // an access token the upstream refused
	healedAt time.Time // the last renewal that a rejection caused
}

// A renewal is shared by all that wait for it and belongs to none of them.
type renewal struct {
	done   chan struct{}
	grant  Grant
	usable bool // grant may be sent, whatever err says
	err    *Error
}

const (
	renewTimeout   = 30 * time.Second
	backoffFirst   = time.Second
	backoffMost    = 5 * time.Minute
	healingCoolOff = 10 * time.Second
)

// Open reads the store, without touching the network, so that the first request
// finds what an earlier process left. Its error means that a grant is there and
// cannot be used ([*UnusableError]); having none is no error.
func (s *Source) Open() error {
	grant, err := (&attempt{source: s}).load()
	if LoginNeeded(err) {
		err, grant = nil, Grant{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grant = grant
	return err
}

// Token returns an access token that is live now. A fresh one is returned
// without any I/O; one that is due for renewal is returned while the renewal
// goes on behind it; past expiry all callers wait for one shared renewal, each
// as long as its own ctx allows. The error is an [*Error], or ctx's.
func (s *Source) Token(ctx context.Context) (Token, error) {
	s.mu.Lock()
	now := wallNow()
	usable := s.usableLocked(now)
	if usable && !s.grant.due(now) && s.unsaved == nil {
		defer s.mu.Unlock()
		return s.grant.token(), nil
	}
	flight, failure := s.startLocked(now, s.rejected)
	present := s.grant.token()
	s.mu.Unlock()
	switch {
	case usable:
		return present, nil
	case failure != nil:
		return Token{}, failure
	}
	return flight.wait(ctx)
}

// Fresh returns a token that lives for at least minTTL more, renewing it if need
// be. Where that fails but a token is still live, it returns both that token and
// the error. The provider may still give less life than was asked for.
func (s *Source) Fresh(ctx context.Context, minTTL time.Duration) (Token, error) {
	token, err := s.Token(ctx)
	if err != nil || token.Expiry.IsZero() || time.Until(token.Expiry) >= minTTL {
		return token, err
	}
	s.mu.Lock()
	flight, failure := s.startLocked(wallNow(), token.Access)
	s.mu.Unlock()
	if failure != nil {
		return token, failure
	}
	renewed, err := flight.wait(ctx)
	if err != nil {
		return token, err
	}
	return renewed, flight.failure()
}

// Reject reports that the upstream refused token. If that is still the current
// one, the next Token renews it first; a late report about an older token
// changes nothing. A cool-down of 10 s keeps an upstream that refuses everything
// from turning each request into a renewal.
func (s *Source) Reject(token Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := wallNow()
	if token.Access != s.grant.Access || s.Renew == nil || now.Sub(s.healedAt) < healingCoolOff {
		return
	}
	s.rejected = token.Access
	s.healedAt = now
}

// Put saves a new login and makes it current. If it cannot be saved it serves
// from memory all the same and the error says so.
func (s *Source) Put(ctx context.Context, grant Grant) error {
	unlock, err := s.Store.Lock(ctx, s.Name)
	if err != nil {
		return err
	}
	defer unlock()
	err = s.Store.Save(s.Name, grant)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publishLocked(grant, err)
	return err
}

// Forget ends the login here: revoke, if set, is called first with what is
// stored, and its error does not keep the grant from being removed from memory
// and store. It returns ErrNoGrant where there was none.
func (s *Source) Forget(ctx context.Context) error {
	unlock, err := s.Store.Lock(ctx, s.Name)
	if err != nil {
		return err
	}
	defer unlock()
	grant, err := s.Store.Load(s.Name)
	if err != nil {
		return err
	}
	if s.Revoke != nil {
		_ = s.Revoke(ctx, grant) // a provider that is down must not keep anybody logged in here
	}
	if err := s.Store.Delete(s.Name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publishLocked(Grant{}, nil)
	return nil
}

func (s *Source) usableLocked(now time.Time) bool {
	return s.grant.live(now) && s.grant.Access != s.rejected
}

// startLocked joins the renewal under way or starts one, unless the last one
// failed a moment ago: then all callers share its result. The new token will be
// another than unwanted.
func (s *Source) startLocked(now time.Time, unwanted Secret) (*renewal, *Error) {
	if s.flight != nil {
		return s.flight, nil
	}
	if s.failure != nil && now.Before(s.retryAt) {
		shared := *s.failure
		shared.RetryAfter = s.retryAt.Sub(now)
		return nil, &shared
	}
	s.flight = &renewal{done: make(chan struct{})}
	attempt := &attempt{source: s, unwanted: unwanted}
	if s.unsaved != nil {
		attempt.unsaved = s.grant
	}
	go s.run(s.flight, attempt)
	return s.flight, nil
}

func (r *renewal) wait(ctx context.Context) (Token, error) {
	select {
	case <-r.done:
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
	if r.usable {
		return r.grant.token(), nil
	}
	return Token{}, r.failure()
}

// failure is err as a plain error: a nil *Error must not become a non-nil error.
func (r *renewal) failure() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

func (s *Source) publishLocked(grant Grant, unsaved error) {
	s.grant, s.unsaved = grant, unsaved
	s.rejected = ""
	s.failure, s.failures, s.retryAt = nil, 0, time.Time{}
}

// failLocked notes a failure and when to try again: after what the provider
// asked for, else after a back-off with full jitter. "Login needed" has no
// back-off once the token has ended: finding it out costs no network, and a
// login may be there by now.
func (s *Source) failLocked(err *Error) {
	s.failure = err
	if err.Action == ActionLogin && !s.usableLocked(wallNow()) {
		s.failures, s.retryAt = 0, time.Time{}
		return
	}
	ceiling := min(backoffFirst<<min(s.failures, 16), backoffMost)
	s.failures++
	wait := max(err.RetryAfter, backoffFirst/2+rand.N(ceiling))
	s.retryAt = wallNow().Add(wait)
}

func (s *Source) report(outcome string) {
	if s.Outcome != nil {
		s.Outcome(outcome)
	}
}

// asError makes sure that what a caller sees is an [*Error].
func asError(err error) *Error {
	var ours *Error
	if errors.As(err, &ours) {
		return ours
	}
	var unusable *UnusableError
	if errors.As(err, &unusable) {
		return &Error{Action: ActionConfig, Say: "the stored login cannot be used", Hint: unusable.Error(), Err: err}
	}
	return &Error{Action: ActionRetry, Say: "the token could not be renewed", Hint: "the login is kept and the renewal is tried again by itself", Err: err}
}
