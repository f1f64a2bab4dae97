package terminal

import (
	"strings"
	"time"

	"avsproxy/tokens"
)

// A Token is what people read about an access token.
type Token struct {
	State     tokens.State
	Expiry    time.Time // zero = none is known
	Renewable bool
	Failure   string // of the state failing
}

// TokenOf is the token of a credential's status.
func TokenOf(s tokens.Status) Token {
	t := Token{State: s.State, Expiry: s.Expiry, Renewable: s.Renewable}
	if s.Failure != nil {
		t.Failure = s.Failure.Error()
	}
	return t
}

// String says whether the token can be used, until when, and what happens then.
func (t Token) String() string {
	unused := t.State == tokens.StateUnknown
	switch {
	case unused && t.Expiry.IsZero():
		return "not used yet"
	case unused && t.Renewable:
		return "expired, will be renewed by the next request"
	case t.State == tokens.StateFailing:
		return strings.TrimSuffix("failing: "+t.Failure, ": ")
	case t.State != tokens.StateReady:
		return "login needed"
	case t.Expiry.IsZero():
		return "ready, without a known expiry"
	case t.Renewable:
		return "ready, expires " + When(t.Expiry) + ", renewed automatically"
	}
	return "ready, expires " + When(t.Expiry) + "; it cannot be renewed; log in again before it expires"
}

// EndsSoon is how long before the end of a login people are warned.
const EndsSoon = 14 * 24 * time.Hour

// LoginEnd says when a login ends and what to do about it.
func LoginEnd(end time.Time) string {
	switch left := time.Until(end); {
	case left < 0:
		return "the login ended " + When(end) + " according to refresh_token_max_age; log in again"
	case left < EndsSoon:
		return "the login ends " + When(end) + "; log in again before it does"
	}
	return "the login ends " + When(end)
}

// ClockSkew says that this machine's clock is ahead of the provider's, or behind it.
func ClockSkew(ahead time.Duration) string {
	way := "ahead of"
	if ahead < 0 {
		way = "behind"
	}
	return "this machine's clock is " + Roughly(ahead.Abs()) + " " + way + " the provider's; set it, for APIs may refuse requests that carry a time"
}
