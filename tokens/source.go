package tokens

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A Source hands out the access token of one credential and keeps its grant
// alive. Set the exported fields before the first call; after that it is safe
// for concurrent use.
type Source struct {
	// Name is the credential's name, the key into the store.
	Name string
	// Kind is the configured OAuth grant, such as "authorization_code".
	Kind  string
	Store Store
	// Renew obtains a successor of a grant from the provider. Nil = the token
	// cannot be renewed (a static one).
	Renew func(ctx context.Context, old Grant) (Grant, error)
	// Revoke tells the provider that a grant is no longer wanted; nil = it has no
	// way to be told.
	Revoke func(ctx context.Context, grant Grant) error
	// Matches reports whether a stored grant belongs to the present configuration;
	// nil accepts all. One that does not match is ignored, until a login or a newer
	// configured refresh token replaces it.
	Matches func(Grant) bool
	// Seed returns the grant to begin with while the store holds none that matches: a
	// static token, or a refresh token from the configuration, identified by its
	// [Grant.Seed]. It is called each time, so that a changed one is found; a token that
	// can change has a Recheck. Nil = a login.
	Seed func() (Grant, error)
	// Unattended says that Renew needs neither a login nor a refresh token, as with
	// client credentials (RFC 6749 section 4.4) or a command.
	Unattended bool
	// KeepWarm also renews while nobody asks for a token; see [Source.Warm].
	KeepWarm bool
	// Renewals has a place for each renewal that may be under way at once, of all sources that
	// have it; nil = there is no bound.
	Renewals chan struct{}
	// MaxAge is for how long the provider accepts a login, however often it is
	// renewed; zero = unknown. It only warns, by [Status.Ends].
	MaxAge time.Duration
	// MustSave refuses to spend a refresh token while the store takes nothing. It is
	// for processes that end before a save could be tried again: the provider may
	// rotate the refresh token, and the old one would be all that is left.
	MustSave bool
	// Timeout bounds the wait for the store's lock, and then once more how long
	// callers wait for the response to a renewal. Zero = 30 s.
	Timeout time.Duration
	// WaitForResponse lets callers wait for the response as long as it is waited for at all,
	// which is some minutes.
	WaitForResponse bool
	// Outcome, if set, is called with how each renewal ended, one after the other and
	// before anybody gets the new token. It must neither block nor ask the source for a
	// token.
	Outcome func(Outcome)

	mu sync.Mutex
	knownTokens
	unsaved      error       // why the store does not hold grant; nil = it does
	epoch        int         // counts logins and logouts, which no renewal from before may undo
	flight       *renewal    // the one under way; nil = none
	importing    atomic.Bool // a refresh token that was got elsewhere is on its way
	failure      *Error      // how the last one failed; nil = it did not
	failures     int         // in a row, for the back-off
	retryAt      time.Time
	healAt       time.Time     // a rejection before that causes no renewal
	healWait     time.Duration // the pause that ended, or ends, then
	healedInVain bool          // the upstream refused the new token, too
	saver        *time.Timer   // tries again what the store could not take; nil = it took all so far
	last         Outcome       // and when it came
	lastAt       time.Time
	began        time.Time // when this process first looked
}

const (
	renewTimeout   = 30 * time.Second
	healingCoolOff = 10 * time.Second
	refusedAtOnce  = 5 * time.Second // after it was got: the renewal was in vain
)

// Load reads the store, without touching the network, so that the first request
// finds what an earlier process left. Its error means that a grant is there and
// cannot be used ([*UnusableError]); having none is no error.
func (s *Source) Load() error {
	s.begin()
	grant, err := (&attempt{source: s, looks: true}).load()
	if isAway(err) {
		if kept, keptErr := sharedBy(s.Store).Journal.Load(s.key()); keptErr == nil && kept.PendingSince.IsZero() && s.matches(kept) && kept.live(wallNow()) {
			grant, err = kept, nil // it serves to its end
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.failure = asError(err)
	case grant.Refused != "" || !grant.live(wallNow()):
		s.hold(grant)
		s.failure = s.cannotRenew(grant)
	default:
		s.hold(grant)
		s.failure = nil
	}
	if s.failure == nil && !grant.Failed.At.IsZero() {
		s.failure = grant.Failed.error()
	}
	if _, ok := errors.AsType[*UnusableError](err); ok {
		return err
	}
	return nil
}

// Token returns an access token that is live now. A fresh one is returned
// without any I/O; one that is due for renewal is returned while the renewal
// goes on behind it; past expiry all callers wait for one shared renewal, each
// as long as its own ctx allows. The error is an [*Error], or ctx's.
func (s *Source) Token(ctx context.Context) (Token, error) {
	s.mu.Lock()
	now := wallNow()
	present, usable := s.grant.token(), s.usableLocked(now)
	settled := !s.grant.due(now) && s.failure == nil
	if usable && (settled || until(s.retryAt) > 0) {
		s.mu.Unlock()
		return present, nil
	}
	flight, failure := s.startLocked(s.rejected)
	s.mu.Unlock()
	switch {
	case usable:
		return present, nil
	case failure != nil:
		return Token{}, failure
	}
	return flight.wait(ctx)
}

// Live is Token for who does not wait, at the time now. false = Token may have to wait, or to
// begin a renewal.
func (s *Source) Live(now time.Time) (token Token, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil || !s.usableLocked(now) || s.grant.due(now) {
		return Token{}, false
	}
	return s.grant.token(), true
}

// Fresh returns a token that lives for at least minTTL more, renewing it if need
// be. Where that fails but a token is still live, it returns both that token and
// the error. The provider may still give less life than was asked for.
func (s *Source) Fresh(ctx context.Context, minTTL time.Duration) (Token, error) {
	token, err := s.Token(ctx)
	for range 2 { // the first may join a renewal that was content with less
		if err != nil || token.Expiry.IsZero() || time.Until(token.Expiry) >= minTTL {
			return token, err
		}
		s.mu.Lock()
		flight, failure := s.startLocked(token.Access)
		s.mu.Unlock()
		if failure != nil {
			return token, failure
		}
		renewed, err := flight.wait(ctx)
		if err != nil {
			return token, err
		}
		if failure := flight.failure(); failure != nil || flight.unwanted == token.Access || renewed.Access != token.Access {
			return renewed, failure
		}
	}
	return token, nil
}

// Reject reports that the upstream refused token. If that is still the current
// one, the next Token renews it first, or waits for the renewal under way; a late
// report about an older token changes nothing. An upstream that refuses for a
// reason of its own must not turn each request into a renewal: there is a pause of
// 10 s between them, which doubles, to 5 min at most, when the new token is refused
// at once as well. Where no renewal is to be had, the token serves on to its end.
func (s *Source) Reject(token Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token.Access != s.grant.Access || s.Seed == nil && !s.renewable(s.grant) {
		return // it is not sent any more, or no other one can be had
	}
	if s.flight == nil && (s.backingOffLocked() || until(s.healAt) > 0) {
		s.healedInVain = s.healedInVain || time.Since(s.grant.Renewed) < refusedAtOnce
		return
	}
	if s.flight == nil {
		s.pauseHealingLocked()
	}
	s.rejected = token.Access
}

func (s *Source) pauseHealingLocked() {
	goesOn := s.healedInVain && time.Since(s.healAt) < s.healWait
	s.healWait = min(2*s.healWait, backoffMost)
	if !goesOn {
		s.healWait = healingCoolOff
	}
	s.healedInVain = false
	s.healAt = time.Now().Add(s.healWait)
}

// warmCheck is how often Warm looks. It goes by the wall clock at each look, so a
// suspended machine catches up within this time.
const warmCheck = 30 * time.Second

// Warm keeps the token live until ctx ends, whether anybody asks for it or not:
// some providers forget a login that is not used for long. It returns at once
// where [Source.KeepWarm] is not set.
func (s *Source) Warm(ctx context.Context) {
	for s.KeepWarm && ctx.Err() == nil {
		_, _ = s.Token(ctx) // [Source.Outcome] tells how it ended
		select {
		case <-time.After(warmCheck):
		case <-ctx.Done():
		}
	}
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

// Peek is Status after a look into the store, for a process that serves nothing.
// It does not touch the network.
func (s *Source) Peek() Status {
	_ = s.Load() // its error is in the status
	return s.Status()
}

// Secrets returns the tokens of this process, from memory: the present ones, the last
// few that they replaced, and what the store was seen to hold. It is for masking them in
// other text. Callers must neither print nor change it.
func (s *Source) Secrets() []Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secrets()
}

// Format hides the tokens, which fmt would show as they are.
func (s *Source) Format(f fmt.State, _ rune) { fmt.Fprint(f, "token source of ", s.Name) }

// key is where the store keeps the grant. Logins have the plain name; what needs
// none is kept beside them, so that neither replaces the other when a
// configuration changes, and changes back.
func (s *Source) key() string {
	switch {
	case s.Unattended:
		return s.Name + ".own"
	case s.Seed != nil:
		return s.Name + ".given"
	}
	return s.Name
}

// Key is the key of the source's entry in an [Engine].
func (s *Source) Key() string { return entryKey(s.key()) }

func (s *Source) presentFingerprint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grant.Access == "" {
		return ""
	}
	return Fingerprint(s.grant.Access)
}

func (s *Source) matches(stored Grant) bool { return s.Matches == nil || s.Matches(stored) }

// begin returns when this process first looked at the store.
func (s *Source) begin() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() {
		s.began = wallNow()
	}
	return s.began
}

// renewable reports whether the provider can be asked for a successor of grant.
func (s *Source) renewable(grant Grant) bool {
	return s.Renew != nil && (s.Unattended || !grant.Refresh.IsZero())
}

func (s *Source) usableLocked(now time.Time) bool {
	return s.grant.live(now) && s.grant.Access != s.rejected
}

// cannotRenew is why no renewal can follow a grant; nil = one can.
func (s *Source) cannotRenew(grant Grant) *Error {
	switch {
	case grant.Refused != "":
		e := s.loginNeeded("the provider no longer accepts the stored login (" + grant.Refused + ")")
		e.hintAtUnread(s.unread().first())
		return e
	case s.Renew == nil:
		return newError(ActionConfig, "the configured token ends and cannot be renewed", "put a valid one in the configuration")
	case !s.renewable(grant):
		return s.loginNeeded("the access token ends and the provider gave no refresh token")
	}
	return nil
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
