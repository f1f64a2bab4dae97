package tokens

import (
	"context"
	"errors"
)

// run carries one renewal to its end. It has no caller's context: whoever
// started it may be long gone, and an answer that was paid for with the old
// refresh token must be saved.
func (s *Source) run(flight *renewal, a *attempt) {
	timeout := s.Timeout
	if timeout == 0 {
		timeout = renewTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	grant, err := a.renew(ctx)
	s.finish(flight, a, grant, err)
	s.report(a.outcome(flight.err))
}

func (s *Source) finish(flight *renewal, a *attempt, grant Grant, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	flight.grant = grant
	flight.usable = grant.live(wallNow()) && grant.Access != a.unwanted
	switch {
	case err == nil:
		s.publishLocked(grant, a.saveErr)
	default:
		flight.err = asError(err)
		if flight.usable {
			s.grant = grant
		}
		s.failLocked(flight.err)
	}
	s.flight = nil
	close(flight.done)
}

// An attempt is one passage through lock, store, provider and store.
type attempt struct {
	source   *Source
	unwanted Secret // an access token that will not do, though it may look live
	unsaved  Grant  // newer than the store, because the store could not take it
	adopted  bool
	saveErr  error
}

// renew returns the best grant there is, also beside an error: a stored token
// that is still live serves on while the provider cannot be reached.
func (a *attempt) renew(ctx context.Context) (Grant, error) {
	s := a.source
	unlock, err := s.Store.Lock(ctx, s.Name)
	if err != nil {
		return Grant{}, err
	}
	defer unlock()
	grant, err := a.load()
	if err != nil {
		return Grant{}, err
	}
	now := wallNow()
	switch {
	case grant.live(now) && !grant.due(now) && grant.Access != a.unwanted:
		a.adopted = true
		a.keep(grant)
		return grant, nil
	case grant.Refused != "":
		return grant, refusedBefore(grant)
	case s.Renew == nil:
		return grant, &Error{Action: ActionConfig, Say: "the upstream refused the configured token", Hint: "put a valid one in the configuration"}
	case grant.Refresh.IsZero():
		return grant, loginNeeded("the access token ends and the provider gave no refresh token")
	}
	return a.post(ctx, grant)
}

// load returns what the store holds, or what to start from where it holds
// nothing that fits.
func (a *attempt) load() (Grant, error) {
	s := a.source
	stored, err := s.Store.Load(s.Name)
	if err != nil && !errors.Is(err, ErrNoGrant) {
		return Grant{}, err
	}
	if a.unsaved.Renewed.After(stored.Renewed) {
		return a.unsaved, nil
	}
	fits := err == nil && (s.Fits == nil || s.Fits(stored))
	switch {
	case fits:
		return stored, nil
	case !s.Initial.Access.IsZero() || !s.Initial.Refresh.IsZero():
		return s.Initial, nil
	case err == nil:
		return Grant{}, loginNeeded("the stored login was made for another client_id or provider")
	}
	return Grant{}, loginNeeded("nobody has logged in yet")
}

func (a *attempt) post(ctx context.Context, old Grant) (Grant, error) {
	s := a.source
	renewed, err := s.Renew(ctx, old)
	if LoginNeeded(err) {
		old.Refused = refusedCode(err)
		return old, errors.Join(err, s.Store.Save(s.Name, old))
	}
	if err != nil {
		return old, err
	}
	a.saveErr = s.Store.Save(s.Name, renewed)
	return renewed, nil
}

// keep saves a grant that an earlier attempt could not save.
func (a *attempt) keep(grant Grant) {
	if grant.Access == a.unsaved.Access && !grant.Access.IsZero() {
		a.saveErr = a.source.Store.Save(a.source.Name, grant)
	}
}

func (a *attempt) outcome(err *Error) string {
	switch {
	case err != nil && err.Action == ActionLogin:
		return "login_needed"
	case err != nil:
		return "failed"
	case a.saveErr != nil:
		return "unsaved"
	case a.adopted:
		return "adopted"
	}
	return "renewed"
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

func refusedBefore(grant Grant) *Error {
	return loginNeeded("the provider no longer accepts the stored login (" + grant.Refused + ")")
}
