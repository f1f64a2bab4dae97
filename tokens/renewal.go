package tokens

import (
	"context"
	"errors"
	"time"
)

// A renewal is shared by all that wait for it and belongs to none of them.
type renewal struct {
	done   chan struct{}
	late   chan struct{} // closed when the callers have waited long enough
	beyond Secret        // it will not be content with this token
	grant  Grant
	usable bool // grant may be sent, whatever err says
	err    *Error
}

// An Outcome is how a renewal ended.
type Outcome string

const (
	OutcomeRenewed     Outcome = "renewed"
	OutcomeAdopted     Outcome = "adopted" // another process had renewed
	OutcomeFailed      Outcome = "failed"
	OutcomeLoginNeeded Outcome = "login_needed"
	OutcomeUnsaved     Outcome = "unsaved" // renewed, but the store could not take it
)

const (
	backoffFirst = time.Second
	backoffMost  = 5 * time.Minute
	startAgain   = 10 * time.Second // between looks for another token in the configuration, where a login is needed
)

// startLocked joins the renewal under way or starts one, unless the last one
// failed a moment ago: then all callers share its result. The new token will be
// another than unwanted.
func (s *Source) startLocked(unwanted Secret) (*renewal, *Error) {
	if s.flight != nil {
		return s.flight, nil
	}
	if s.backingOffLocked() {
		shared := *s.failure
		shared.RetryAfter = until(s.retryAt)
		return nil, &shared
	}
	s.flight = &renewal{done: make(chan struct{}), late: make(chan struct{}), beyond: unwanted}
	go s.flight.run(&attempt{source: s, flight: s.flight, unwanted: unwanted, epoch: s.epoch})
	return s.flight, nil
}

// backingOffLocked reports whether it is too early for another renewal. "Login
// needed" has no back-off once the token has ended: finding it out costs no
// network, and a login may be there by now. To look into the configuration again
// may cost a program, so that has a pause.
func (s *Source) backingOffLocked() bool {
	if s.failure == nil || (s.failure.Action == ActionLogin && s.Seed == nil && !s.usableLocked(wallNow())) {
		return false
	}
	return until(s.retryAt) > 0
}

func (r *renewal) wait(ctx context.Context) (Token, error) {
	select {
	case <-r.done:
	case <-r.late:
		select {
		case <-r.done:
		default:
			return Token{}, noAnswerYet()
		}
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
	if r.usable {
		return r.grant.token(), nil
	}
	return Token{}, r.failure()
}

// failure is err as a plain error: a nil *Error must not become a non-nil error.
func (r *renewal) failure() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// noAnswerYet is what callers get who have waited long enough for a renewal that
// goes on.
func noAnswerYet() *Error {
	e := newError(ActionRetry, "the provider has not answered the renewal yet",
		"its answer is still waited for; check whether the provider is in trouble")
	e.RetryAfter = startAgain
	return e
}

// giveUp tells the callers that they have waited long enough.
func (r *renewal) giveUp(s *Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = noAnswerYet()
	}
	close(r.late)
}

// AwaitRenewal waits for a renewal that is under way. A process should call it before
// it ends: the answer to a renewal may hold the only refresh token that is left.
func (s *Source) AwaitRenewal(ctx context.Context) error {
	s.mu.Lock()
	flight := s.flight
	s.mu.Unlock()
	if flight != nil {
		select {
		case <-flight.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.Status().Unsaved != nil {
		s.saveHeld() // the last chance
	}
	return nil
}

// run carries a renewal to its end. It has no caller's context: whoever
// started it may be long gone, and an answer that was paid for with the old
// refresh token must be saved.
func (r *renewal) run(a *attempt) {
	s := a.source
	grant, err := a.renew()
	r.conclude(a, grant, err)
	outcome := a.outcome(r.err)
	if outcome != "" && s.Outcome != nil {
		s.Outcome(outcome) // before the next renewal can begin, so that outcomes come in their order
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if outcome != "" {
		s.last, s.lastAt = outcome, wallNow()
	}
	s.flight = nil
	close(r.done)
}

// conclude draws the conclusions from how the renewal ended.
func (r *renewal) conclude(a *attempt, grant Grant, err error) {
	s := a.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && !grant.live(wallNow()) { // a back-off keeps it from being asked for with each request
		err = endedEarly()
	}
	switch {
	case a.epoch != s.epoch: // a login or a logout came in between, and its word is newer
		r.err = s.failure
	case err == nil:
		s.publishLocked(grant, a.saveErr)
	default:
		s.failLocked(asError(err), grant, a.saveErr, a.wait)
		r.err = s.failure
	}
	r.grant, r.usable = s.grant, s.usableLocked(wallNow())
	if !r.usable && r.err == nil {
		r.err = endedEarly()
	}
}

func endedEarly() *Error {
	return newError(ActionRetry, "the new token had ended before it could be used", "try again")
}

// publishLocked makes grant the current one; unsaved is why it could not be saved.
func (s *Source) publishLocked(grant Grant, unsaved error) {
	if grant.Refresh != s.grant.Refresh {
		s.spent = s.grant.Refresh
	}
	s.hold(grant)
	s.unsaved, s.rejected = unsaved, ""
	s.failure, s.failures, s.retryAt = nil, 0, time.Time{}
	if unsaved != nil {
		s.saveSoonLocked()
	} else if s.saver != nil {
		s.saver.Stop()
	}
}

// failLocked notes a failure and after which pause to try again (0 = to be chosen
// here). The grant that was to be renewed (zero = none could be had) serves on
// while it lives, also where the upstream refused it, for that may have been about
// the request alone.
func (s *Source) failLocked(err *Error, grant Grant, unsaved error, wait time.Duration) {
	if !grant.sameTokens(Grant{}) {
		s.hold(grant)
		s.unsaved = unsaved
	}
	if s.unsaved != nil {
		s.saveSoonLocked()
	}
	if wait == 0 {
		wait = s.pauseLocked(err)
	}
	failure := *err // the original may be shared
	if failure.Action != ActionLogin {
		failure.RetryAfter = wait
		s.rejected = ""
	}
	s.failure, s.failures, s.retryAt = &failure, s.failures+1, time.Now().Add(wait)
}

// asError makes sure that what a caller sees is an [*Error].
func asError(err error) *Error {
	var ours *Error
	if errors.As(err, &ours) {
		return ours
	}
	var unusable *UnusableError
	if errors.As(err, &unusable) {
		return newError(ActionConfig, "the stored login cannot be used", unusable.Error()).because(err)
	}
	return newError(ActionRetry, "the token could not be renewed", hintKept).because(err)
}
