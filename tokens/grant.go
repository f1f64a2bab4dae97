package tokens

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// A Token is an access token ready to be sent.
type Token struct {
	Access Secret
	// Expiry is the wall-clock end of the token's life; zero means it has none.
	Expiry time.Time
	// Obtained is when it was got; zero = unknown.
	Obtained time.Time
}

// Format hides the token from fmt also where a verb does not fit: for a pointer
// that is printed with %s fmt calls no methods on what is behind it.
func (t Token) Format(f fmt.State, verb rune) {
	type plain Token
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain(t))
}

// Fill returns format with the token in the place of "{token}", and its base64
// in that of "{base64}", as Basic credentials need it (RFC 7617 section 2).
func (t Token) Fill(format string) string {
	plain := t.Access.Reveal()
	return strings.NewReplacer("{token}", plain, "{base64}", base64.StdEncoding.EncodeToString([]byte(plain))).Replace(format)
}

// A Grant is all that is kept of one login: what the store holds. Its JSON leaves out
// the tokens.
type Grant struct {
	Kind     string `json:"kind"`                // the OAuth grant it came from, such as "authorization_code"
	ClientID string `json:"client_id,omitempty"` // the client it is bound to (RFC 6749 section 10.4)
	Issuer   string `json:"issuer,omitempty"`    // the issuer that gave it, or its token endpoint
	Seed     string `json:"seed,omitempty"`      // fingerprint of the configured refresh token it grew from; empty after a login

	Access  Secret `json:"-"`
	Refresh Secret `json:"-"` // empty is legal: such a grant ends with its access token
	// Generation counts the renewals of a login: of two grants of one login, the one
	// that counts more is the newer, whatever the clock says.
	Generation int      `json:"generation,omitempty"`
	Scopes     []string `json:"scopes,omitempty"`

	LoggedIn time.Time `json:"logged_in"`       // when a person (or the configuration) gave it
	Renewed  time.Time `json:"renewed"`         // when Access was obtained
	Expiry   time.Time `json:"expiry,omitzero"` // when Access ends; zero = never
	// Recheck is when to look again for a successor of a token that has no end, such
	// as one in a file that somebody may replace; zero = never. Stores leave it out.
	Recheck time.Time `json:"-"`

	// PendingSince is the write-ahead mark: when Refresh was sent to the provider in a
	// renewal that is not known to have succeeded. It may be spent. Zero = no such renewal.
	PendingSince time.Time `json:"posted,omitzero"`
	// Failed is how the last renewal failed; the zero value = it did not. It is kept so
	// that processes share it, and what the provider asked for with it.
	Failed Failed `json:"failed,omitzero"`

	// MarkedFor is how much longer the mark of another installation is honoured; 0 = it is ours,
	// or nobody honours it any more. Stores leave it out.
	MarkedFor time.Duration `json:"-"`

	// Refused is the provider's reason why Refresh is dead, such as
	// "invalid_grant". Such a grant is kept for diagnosis, never used again.
	Refused string `json:"refused,omitempty"`
}

// Format hides the tokens from fmt, as [Token.Format] does.
func (g Grant) Format(f fmt.State, verb rune) {
	type plain Grant
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain(g))
}

// The margin before expiry at which a renewal is due: a tenth of the life, but
// at most five minutes, which is what a slow link and a slow provider need.
const (
	marginShare = 10
	marginMost  = 5 * time.Minute
)

// live reports whether the access token may still be sent. Times are compared as
// wall-clock times, so a suspended machine does not make a token live longer.
func (g *Grant) live(now time.Time) bool {
	return g.Access != "" && (g.Expiry.IsZero() || now.Before(g.Expiry))
}

// due reports whether the access token should be renewed by now. One from the future
// is due: the clock was set back, and its age is unknown. So is one with a mark: the
// sooner the refresh token is sent again, the more likely the provider accepts that.
func (g *Grant) due(now time.Time) bool {
	switch {
	case !g.PendingSince.IsZero():
		return true
	case g.Expiry.IsZero():
		return !g.Recheck.IsZero() && !now.Before(g.Recheck)
	}
	margin := min(g.Expiry.Sub(g.Renewed)/marginShare, marginMost)
	return !now.Before(g.Expiry.Add(-margin)) || now.Before(g.Renewed)
}

// sameTokens reports whether two grants hold the same tokens.
func (g Grant) sameTokens(other Grant) bool {
	return g.Access == other.Access && g.Refresh == other.Refresh
}

// succeeds reports whether g is a finished renewal of a marked grant.
func (g Grant) succeeds(marked Grant) bool {
	return g.PendingSince.IsZero() && g.Refused == "" && !g.sameTokens(marked) && g.LoggedIn.Equal(marked.LoggedIn) && g.Generation >= marked.Generation
}

// laterThan reports whether g comes from a later login, or is a later generation of the same one:
// what holds among machines, whatever their clocks say.
func (g Grant) laterThan(other Grant) bool {
	if !g.LoggedIn.Equal(other.LoggedIn) {
		return g.LoggedIn.After(other.LoggedIn)
	}
	return g.Generation > other.Generation
}

// newerThan reports whether g comes from a later login, or a later renewal of one.
func (g Grant) newerThan(other Grant) bool {
	if !g.LoggedIn.Equal(other.LoggedIn) {
		return g.LoggedIn.After(other.LoggedIn)
	}
	return g.Renewed.After(other.Renewed)
}

func (g Grant) token() Token { return Token{Access: g.Access, Expiry: g.Expiry, Obtained: g.Renewed} }

// until is how long it is to t by whichever clock comes there first: the wall
// clock may be set back, and the monotonic one stops while the machine sleeps.
func until(t time.Time) time.Duration {
	now := time.Now()
	return min(t.Sub(now), t.Round(0).Sub(now.Round(0)))
}

// wallNow is the present without the monotonic reading, which stops while the
// machine sleeps.
func wallNow() time.Time { return time.Now().Round(0) }

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
	probablyAfter = time.Hour        // a login is probably needed after the same refusal for so long,
	probablyTries = 8                // and so often
	probablyGap   = 10 * time.Minute // the most that counts of the time between two refusals
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

// backingOff reports whether it is too early to ask again. A failure of the configuration
// may have been fixed, so it has no pause. A pause that is longer than any, or was noted
// in the future, comes from a wrong clock.
func (f Failed) backingOff() bool {
	left := until(f.Retry)
	return (f.Action == ActionRetry || f.Action == ActionWait) && left > 0 && left <= retryAfterMost && !f.At.After(wallNow())
}
