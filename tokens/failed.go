package tokens

import (
	"math/rand/v2"
	"time"
)

// A Failed is what is kept of an [*Error].
type Failed struct {
	Action    Action
	Code      string
	Say, Hint string
	At        time.Time
	Retry     time.Time // before which nobody should ask the provider again
}

func (f Failed) error() *Error {
	return &Error{Action: f.Action, Code: f.Code, Say: f.Say, Hint: f.Hint, RetryAfter: max(0, until(f.Retry))}
}

// pending reports whether it is too early to ask again. What the configuration was
// to blame for may have been mended by then.
func (f Failed) pending() bool {
	return (f.Action == ActionRetry || f.Action == ActionWait) && until(f.Retry) > 0
}

// fail notes in the grant how its renewal failed and when to try again: after what
// the provider asked for, else after a back-off with full jitter.
func (a *attempt) fail(grant Grant, err error) Grant {
	e, now := asError(err), wallNow()
	a.wait = a.source.pause(e)
	grant.Failed = Failed{Action: e.Action, Code: e.Code, Say: e.Error(), Hint: e.Hint, At: now, Retry: now.Add(a.wait)}
	a.save(grant)
	return grant
}

// pause is how long to wait after the failures so far and this one.
func (s *Source) pause(err *Error) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pauseLocked(err)
}

func (s *Source) pauseLocked(err *Error) time.Duration {
	if err.Action == ActionLogin {
		return startAgain
	}
	ceiling := min(backoffFirst<<min(s.failures, 16), backoffMost)
	return max(err.RetryAfter, backoffFirst/2+rand.N(ceiling))
}
