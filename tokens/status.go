package tokens

import (
	"slices"
	"time"
)

// A State is what a credential can do at the moment.
type State string

const (
	StateReady       State = "ready"        // a token can be sent now
	StateLoginNeeded State = "login_needed" // a person must log in, or probably so
	StateFailing     State = "failing"      // the token has ended and its renewal fails
	StateUnknown     State = "unknown"      // nothing was asked of it yet
)

// A Status tells about a credential without any secret.
type Status struct {
	Name     string
	Kind     string
	State    State
	Scopes   []string
	LoggedIn time.Time // zero = unknown
	Renewed  time.Time // zero = unknown
	Expiry   time.Time // of the access token; zero = none or unknown
	Renewing bool      // a renewal is under way
	// Last is how the last renewal of this process ended, and LastAt when; empty and
	// zero = there was none.
	Last   Outcome
	LastAt time.Time
	// Renewable tells whether the grant can outlive its access token.
	Renewable bool
	// Ends is when the login ends, however often it is renewed, as far as
	// [Source.MaxAge] tells; zero = unknown.
	Ends time.Time
	// Unsaved is why the store does not hold the present grant; nil = it does.
	Unsaved error
	// Unread is the file with a response of the provider's that could not be read, and
	// may hold the refresh token that is valid now; empty = there is none.
	Unread string
	// Failure is how the last renewal failed; nil = it did not.
	Failure *Error
}

// statusOf is what a source knows from memory.
func statusOf(s *Source) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := Status{
		Name:      s.Name,
		Kind:      s.Kind,
		State:     StateUnknown,
		Scopes:    s.grant.Scopes,
		LoggedIn:  s.grant.LoggedIn,
		Renewed:   s.grant.Renewed,
		Expiry:    s.grant.Expiry,
		Renewing:  s.flight != nil || s.importing.Load(),
		Last:      s.last,
		LastAt:    s.lastAt,
		Renewable: s.renewable(s.grant),
		Unsaved:   s.unsaved,
		Failure:   s.failure,
	}
	switch {
	case s.usableLocked(wallNow()):
		status.State = StateReady
	case s.failure.NeedsLogin():
		status.State = StateLoginNeeded
	case s.failure != nil:
		status.State = StateFailing
	}
	if s.MaxAge > 0 && !s.grant.LoggedIn.IsZero() && !s.Unattended {
		status.Ends = s.grant.LoggedIn.Add(s.MaxAge)
	}
	return status
}

// knownTokens are the tokens that a source has in memory.
type knownTokens struct {
	grant    Grant
	stored   Grant    // what the store held when we last saw it; zero = nothing that could be used
	spent    Secret   // the refresh token that the present one has replaced
	rejected Secret   // an access token the upstream refused
	former   []Secret // tokens that were replaced, the latest last
	listed   struct { // what secrets returned last
		held [6]Secret
		list []Secret
	}
}

// formerMost is how many tokens that were replaced are remembered, so that a response
// which repeats one of them later does not show it.
const formerMost = 8

func (k *knownTokens) secrets() []Secret {
	held := [...]Secret{k.grant.Access, k.grant.Refresh, k.stored.Access, k.stored.Refresh, k.spent, k.rejected}
	if held != k.listed.held { // asked for with each request, and different once an hour
		k.listed.held = held
		k.listed.list = slices.Clone(k.former)
		for _, secret := range held {
			if !secret.IsZero() && !slices.Contains(k.listed.list, secret) {
				k.listed.list = append(k.listed.list, secret)
			}
		}
	}
	return k.listed.list
}

// hold makes grant the present one.
func (k *knownTokens) hold(grant Grant) {
	for _, old := range []Secret{k.grant.Access, k.grant.Refresh} {
		if old.IsZero() || old == grant.Access || old == grant.Refresh || slices.Contains(k.former, old) {
			continue
		}
		if k.former = append(k.former, old); len(k.former) > formerMost {
			k.former = slices.Delete(k.former, 0, 1)
		}
	}
	k.grant = grant
}
