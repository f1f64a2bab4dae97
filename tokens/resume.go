package tokens

import (
	"errors"
	"time"
)

// load returns the grant to go on from: what only memory has, else what the
// store holds, else what to start from.
func (a *attempt) load() (Grant, error) {
	s := a.source
	stored, err := s.Store.Load(s.key())
	var held Grant
	if held, a.held = a.compare(stored, err); a.held {
		return held, nil
	}
	if err != nil && !errors.Is(err, ErrNoGrant) {
		return Grant{}, err
	}
	start, startErr := s.start()
	// A login is kept also where the refresh token that it began with cannot be read
	// any more: it may have served its purpose.
	if err == nil && s.fits(stored) && (s.Start == nil || startErr != nil || stored.Seed == start.Seed) {
		return stored, nil
	}
	switch {
	case startErr != nil:
		return Grant{}, &Error{Action: ActionConfig, Say: "the configured token cannot be had", Hint: "see the configuration", Err: startErr}
	case err == nil && stored.LoggedIn.After(s.begin()) && !stored.LoggedIn.Equal(a.login):
		return Grant{}, s.outdated()
	case s.Start != nil || s.Unattended:
		return start, nil
	case err == nil:
		return Grant{}, s.loginNeeded("the stored login was made for another client_id or provider")
	}
	return Grant{}, s.loginNeeded("nobody is logged in")
}

func (s *Source) fits(stored Grant) bool { return s.Fits == nil || s.Fits(stored) }

func (s *Source) start() (Grant, error) {
	if s.Start == nil {
		return Grant{}, nil
	}
	return s.Start()
}

// begin returns when this process first looked at the store.
func (s *Source) begin() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() {
		s.began = wallNow()
	}
	return s.began
}

// outdated keeps a process with an older configuration from overwriting a login
// that was made with a newer one.
func (s *Source) outdated() *Error {
	return &Error{
		Action: ActionConfig, Say: "somebody has logged in with another configuration since this process began",
		Hint: "start it again with the present configuration",
	}
}

// loginNeeded says why a person is needed, and what that person can do here.
func (s *Source) loginNeeded(why string) *Error {
	if s.Start != nil {
		return &Error{Action: ActionLogin, Say: why, Hint: "put a new refresh token into the configuration"}
	}
	if s.Kind == importedKind {
		return &Error{Action: ActionLogin, Say: why, Hint: "log in from a terminal: avsproxy login " + s.Name + " < FILE-WITH-REFRESH-TOKEN"}
	}
	return &Error{Action: ActionLogin, Say: why, Hint: "log in once; it is kept from then on"}
}
