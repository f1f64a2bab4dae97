package tokens

import (
	"time"
)

func (s *Source) matches(stored Grant) bool { return s.Matches == nil || s.Matches(stored) }

func (s *Source) seed() (Grant, error) {
	if s.Seed == nil {
		return Grant{}, nil
	}
	return s.Seed()
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
func outdated() *Error {
	return newError(ActionConfig, "somebody has logged in with another configuration since this process began",
		"start it again with the present configuration")
}

// loginNeeded says why a person is needed, and what that person can do here.
func (s *Source) loginNeeded(message string) *Error {
	hint := "log in once; it is kept from then on"
	if s.Seed != nil {
		hint = "put a new refresh token into the configuration"
	} else if s.Kind == importedKind {
		hint = "log in from a terminal: avsproxy login " + s.Name + " < FILE-WITH-REFRESH-TOKEN"
	}
	return newError(ActionLogin, message, hint)
}
