package tokens

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// An attempt is one passage through lock, store, provider and store.
type attempt struct {
	source   *Source
	unwanted Secret // an access token that will not do, though it may look live
	epoch    int    // of the source, when the attempt read what it goes on from
	present  Secret // what the source handed out until then
	held     bool   // it goes on from a grant that only memory has
	result   string // "renewed", "adopted", or empty while neither happened
	saveErr  error
}

// renew returns the best grant there is, also beside an error: a stored token
// that is still live serves on while the provider cannot be reached.
func (a *attempt) renew() (Grant, error) {
	s := a.source
	timeout := cmp.Or(s.Timeout, renewTimeout)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	unlock, err := s.Store.Lock(ctx, s.Name)
	if err != nil {
		return Grant{}, err
	}
	defer unlock()
	grant, err := a.load()
	if err != nil {
		return Grant{}, err
	}
	if a.held {
		a.save(grant) // at once: the provider may be down for long, and the store have room again
	}
	if now := wallNow(); grant.live(now) && !grant.due(now) && grant.Access != a.unwanted {
		a.adopt(grant)
		return grant, nil
	}
	if dead := s.deadEnd(grant); dead != nil {
		return grant, dead
	}
	return a.post(timeout, grant)
}

// load returns the grant to go on from: what only memory has, else what the
// store holds, else what to start from.
func (a *attempt) load() (Grant, error) {
	s := a.source
	stored, err := s.Store.Load(s.Name)
	var held Grant
	if held, a.held = a.compare(stored, err); a.held {
		return held, nil
	}
	switch {
	case err != nil && !errors.Is(err, ErrNoGrant):
		return Grant{}, err
	case err == nil && (s.Fits == nil || s.Fits(stored)):
		return stored, nil
	case !s.Initial.same(Grant{}):
		return s.Initial, nil
	case err == nil:
		return Grant{}, loginNeeded("the stored login was made for another client_id or provider")
	}
	return Grant{}, loginNeeded("nobody has logged in yet")
}

// compare returns the grant that only memory has, because the store could not
// take it. It gives way to what somebody else did to the store since we last saw
// it: a logout, or a later login or renewal. A store that cannot be used, or that
// holds a refused grant, is no reason to give up a good one.
func (a *attempt) compare(stored Grant, err error) (held Grant, ok bool) {
	s := a.source
	s.mu.Lock()
	defer s.mu.Unlock()
	a.epoch, a.present = s.epoch, s.grant.Access
	older := stored.same(s.stored) || (err == nil && (stored.Refused != "" || !stored.later(s.grant)))
	unusable := err != nil && !errors.Is(err, ErrNoGrant)
	s.stored = stored
	if !older && !unusable {
		s.unsaved = nil
	}
	return s.grant, s.unsaved != nil
}

func (a *attempt) adopt(grant Grant) {
	if grant.Access != a.present {
		a.result = "adopted"
	}
}

// post asks the provider. The wait for the lock must not cut the call short: an
// answer that we do not stay for may hold the only refresh token that is left.
func (a *attempt) post(timeout time.Duration, old Grant) (Grant, error) {
	if err := a.source.checkStore(); err != nil {
		return old, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	renewed, err := a.source.Renew(ctx, old)
	if LoginNeeded(err) {
		old.Refused = refusedCode(err)
		a.save(old)
		return old, err
	}
	if err != nil {
		return old, err
	}
	a.result = "renewed"
	a.save(renewed)
	return renewed, nil
}

func (s *Source) checkStore() error {
	store, can := s.Store.(interface{ Check(name string) error })
	if !s.MustSave || !can {
		return nil
	}
	if err := store.Check(s.Name); err != nil {
		return &Error{Action: ActionConfig, Say: "the token was not renewed, because the renewed login could not be kept", Hint: err.Error()}
	}
	return nil
}

func (a *attempt) save(grant Grant) {
	s := a.source
	a.saveErr = s.Store.Save(s.Name, grant)
	if a.saveErr == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stored = grant
	}
}

// outcome names how the attempt ended; empty = there was nothing to renew.
func (a *attempt) outcome(err *Error) string {
	switch {
	case err != nil && err.Action == ActionLogin:
		return "login_needed"
	case err != nil:
		return "failed"
	case a.saveErr != nil && a.result == "renewed":
		return "unsaved"
	}
	return a.result
}

func loginNeeded(why string) *Error {
	return &Error{Action: ActionLogin, Say: why, Hint: "log in once; it is kept from then on"}
}

func refusedCode(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Code != "" {
		return e.Code
	}
	return "refused"
}
