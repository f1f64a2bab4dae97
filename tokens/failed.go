package tokens

import (
	"math/rand/v2"
	"time"
)

// A Failed is what is kept of an [*Error].
type Failed struct {
	Action  Action    `json:"action"`
	Code    string    `json:"code,omitempty"`
	Message string    `json:"say"`
	Hint    string    `json:"hint,omitempty"`
	At      time.Time `json:"at"`
	Retry   time.Time `json:"retry"` // before which nobody should ask the provider again
	// Sign is the refusal in JSON that the provider gave last at Last, and has given
	// Tries times over the time of Lasted, with nothing but passing faults in between;
	// empty = there was none.
	Sign   string        `json:"sign,omitempty"`
	Last   time.Time     `json:"last,omitzero"`
	Lasted time.Duration `json:"lasted,omitempty"` // in JSON nanoseconds
	Tries  int           `json:"tries,omitempty"`
}

const (
	probablyAfter = time.Hour        // for which a refusal stays the same before a login is probably needed,
	probablyTries = 8                // and how often it must have come
	probablyGap   = 10 * time.Minute // what counts at most of the time between two of them
)

// probably reports whether the same refusal has come for so long that a login is
// probably needed.
func (f Failed) probably() bool {
	return f.Sign != "" && f.Tries >= probablyTries && f.Lasted >= probablyAfter
}

func (f Failed) error() *Error {
	e := &Error{Action: f.Action, Code: f.Code, Message: f.Message, Hint: f.Hint, RetryAfter: max(0, until(f.Retry)), Probably: f.probably()}
	if e.Probably {
		e.Message += "; it has answered so for " + f.Lasted.Round(time.Minute).String() + ", so a login is probably needed"
		e.Hint = "log in again; the renewal is tried on. Or else: " + e.Hint
	}
	return e
}

// count notes a refusal. A passing fault says nothing about it, nor does the time in
// which nobody asked.
func (f Failed) count(before Failed, sign string) Failed {
	f.Sign, f.Last, f.Lasted, f.Tries = before.Sign, before.Last, before.Lasted, before.Tries
	switch {
	case sign == "":
		return f
	case sign != before.Sign:
		f.Sign, f.Lasted, f.Tries = sign, 0, 0
	default:
		f.Lasted += min(max(0, f.At.Sub(before.Last)), probablyGap)
	}
	f.Last = f.At
	f.Tries++
	return f
}

// pending reports whether it is too early to ask again. What the configuration was
// to blame for may have been mended by then. A pause that is longer than any, or was
// noted in the future, is of a clock that was wrong.
func (f Failed) pending() bool {
	left := until(f.Retry)
	return (f.Action == ActionRetry || f.Action == ActionWait) && left > 0 && left <= retryAfterMost && !f.At.After(wallNow())
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
