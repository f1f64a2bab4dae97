package tokens

import "time"

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
	// Unread is the file with an answer of the provider's that could not be read, and
	// may hold the refresh token that is valid now; empty = there is none.
	Unread string
	// Failure is how the last renewal failed; nil = it did not.
	Failure *Error
}

// Status reports from memory, but for a look into the store's folder where something
// is wrong.
func (s *Source) Status() Status {
	status := statusOf(s)
	if status.Failure != nil {
		status.Unread = s.unread().first()
	}
	return status
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

// Peek is Status after a look into the store, for a process that serves nothing.
// It does not touch the network.
func (s *Source) Peek() Status {
	_ = s.Load() // its error is in the status
	return s.Status()
}
