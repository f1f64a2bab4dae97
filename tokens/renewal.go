package tokens

import (
	"context"
	"sync"
	"time"
)

// A renewal is shared by all that wait for it and belongs to none of them.
type renewal struct {
	done     chan struct{}
	late     chan struct{} // closed when the callers have waited long enough
	lateOnce sync.Once
	unwanted Secret // it will not be content with this token
	grant    Grant
	usable   bool // grant may be sent, whatever err says
	err      *Error
}

// An Outcome is how a renewal ended.
type Outcome string

const (
	OutcomeRenewed     Outcome = "renewed"      // there is a new token
	OutcomeAdopted     Outcome = "adopted"      // another process had renewed
	OutcomeFailed      Outcome = "failed"       // it is tried again, or the configuration is wrong
	OutcomeLoginNeeded Outcome = "login_needed" // a person must log in, or probably so
	OutcomeUnsaved     Outcome = "unsaved"      // renewed, but the store could not take it
)

func (r *renewal) wait(ctx context.Context) (Token, error) {
	select {
	case <-r.done:
	case <-r.late:
		select {
		case <-r.done:
		default:
			return Token{}, noResponseYet()
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

// run carries a renewal to its end. It has no caller's context: whoever
// started it may be long gone, and a response that was paid for with the old
// refresh token must be saved.
func (r *renewal) run(a *attempt) {
	s := a.source
	grant, err := a.renewInTurn()
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

// giveUp tells the callers that they have waited long enough.
func (r *renewal) giveUp(s *Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = noResponseYet()
	}
	r.lateOnce.Do(func() { close(r.late) })
}

// noResponseYet is the error for callers who have waited long enough for a renewal that
// goes on.
func noResponseYet() *Error {
	e := newError(ActionRetry, "the provider has not answered the renewal yet",
		"its answer is still waited for; check whether the provider is in trouble")
	e.RetryAfter = startAgain
	return e
}

func endedEarly() *Error {
	return newError(ActionRetry, "the new token had ended before it could be used", "try again")
}

// responseTimeout is for how long the response to a token request is waited for. It
// may hold the only refresh token that is left, so this is longer than any caller
// waits.
const responseTimeout = 5 * time.Minute

// runningTimeout returns a context that ends, with [context.DeadlineExceeded] as its
// cause, after d of running time. A process that was stopped, or starved, does not
// find its time over while the response lies in its socket: a wait that took far
// longer than it should have does not count.
func runningTimeout(d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		step := min(time.Second, d)
		for left := d; left > 0; {
			began := time.Now()
			select {
			case <-time.After(step):
			case <-ctx.Done():
				return
			}
			if time.Since(began) < 2*step {
				left -= step
			}
		}
		cancel(context.DeadlineExceeded)
	}()
	return ctx, func() { cancel(nil) }
}
