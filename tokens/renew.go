package tokens

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// An attempt is one passage through lock, store, provider and store.
type attempt struct {
	source   *Source
	flight   *renewal  // what it is for; nil = no renewal
	unwanted Secret    // an access token that will not do, though it may look live
	epoch    int       // of the source, when the attempt read what it goes on from
	present  Secret    // what the source handed out until then
	login    time.Time // when that login was made
	held     bool      // it goes on from a grant that only memory has
	result   string    // "renewed", "adopted", or empty while neither happened
	saveErr  error
	wait     time.Duration // until the next attempt, where this one has decided about it
}

// renew returns the best grant there is, also beside an error: a stored token
// that is still live serves on while the provider cannot be reached.
func (a *attempt) renew() (Grant, error) {
	s := a.source
	timeout := cmp.Or(s.Timeout, renewTimeout)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	unlock, err := s.Store.Lock(ctx, s.key())
	if err != nil {
		return Grant{}, err
	}
	defer unlock()
	grant, err := a.load()
	if err != nil {
		return Grant{}, err
	}
	if a.held {
		a.save(grant) // at once: the provider may be down for long, and the store have room again
	}
	if now := wallNow(); grant.live(now) && !grant.due(now) && grant.Access != a.unwanted && grant.Refused == "" {
		a.adopt(grant)
		return grant, nil
	}
	if dead := s.deadEnd(grant); dead != nil {
		return grant, dead
	}
	if grant.Failed.pending() { // another process has found out
		a.wait = until(grant.Failed.Retry)
		return grant, grant.Failed.error()
	}
	return a.post(timeout, grant)
}

func (a *attempt) adopt(grant Grant) {
	if grant.Access != a.present {
		a.result = "adopted"
	}
}

// post asks the provider. The wait for the lock must not cut the call short: an
// answer that we do not stay for may hold the only refresh token that is left.
func (a *attempt) post(timeout time.Duration, old Grant) (Grant, error) {
	marked, err := a.mark(old)
	if err != nil {
		return old, err
	}
	ctx, cancel := patience(answerPatience)
	defer cancel()
	defer a.boundCallers(timeout)()
	renewed, err := a.source.Renew(ctx, marked)
	a.source.noteUnread(err)
	if LoginNeeded(err) && !a.source.Unattended {
		return a.refused(old, err)
	}
	renewed.Posted, renewed.Failed = time.Time{}, Failed{}
	switch rotated := !renewed.Refresh.IsZero() && renewed.Refresh != marked.Refresh; {
	case err != nil && rotated: // beside an access token that is of no use
		a.save(renewed)
		return renewed, err
	case err != nil && a.source.Unattended && marked.same(Grant{}):
		return marked, err // there is nothing to note it in
	case err != nil:
		return a.fail(a.unmark(old, marked, err), err)
	case !renewed.same(marked): // else a command that still prints the token it printed before
		a.result = "renewed"
	}
	if a.save(renewed); a.saveErr == nil {
		a.source.dropUnread()
	}
	return renewed, nil
}

// boundCallers lets the callers go after timeout, while the answer is waited for.
func (a *attempt) boundCallers(timeout time.Duration) (stop func()) {
	if a.source.Patient {
		return func() {}
	}
	waiting, cancel := patience(timeout)
	context.AfterFunc(waiting, func() {
		if context.Cause(waiting) == context.DeadlineExceeded {
			a.source.givenUp(a.flight)
		}
	})
	return cancel
}

// mark writes down, ahead of the call, that the refresh token is about to be
// sent: a process that finds the mark knows that the answer may have been lost.
// A store that takes nothing does not stop a process that goes on; what it gets
// serves from memory.
func (a *attempt) mark(old Grant) (Grant, error) {
	if a.source.Unattended || !old.Posted.IsZero() && !a.source.MustSave {
		return old, nil
	}
	marked := old
	marked.Posted = cmp.Or(old.Posted, wallNow())
	if a.save(marked); a.saveErr != nil && a.source.MustSave {
		return old, &Error{Action: ActionConfig, Say: "the token was not renewed: the store takes nothing, and what the provider gave would be lost at the end of this command", Hint: a.saveErr.Error()}
	}
	return marked, nil
}

// unmark takes the mark back where the provider cannot have taken the refresh
// token: it said so, or the request never reached it.
func (a *attempt) unmark(old, marked Grant, err error) Grant {
	var (
		e    *Error
		dial *net.OpError
		cert *tls.CertificateVerificationError
	)
	said := errors.As(err, &e) && e.Code != "" && (e.Action == ActionLogin || e.Action == ActionConfig)
	neverSent := errors.As(err, &dial) && dial.Op == "dial" || errors.As(err, &cert)
	if a.source.Unattended || !said && !neverSent {
		return marked
	}
	return old
}

// refused keeps the grant, marked as dead, for diagnosis. A mark from before this
// call tells the likely reason.
func (a *attempt) refused(old Grant, err error) (Grant, error) {
	old.Refused, old.Failed = refusedCode(err), Failed{}
	a.save(old)
	var refusal *Error
	if !errors.As(err, &refusal) {
		return old, err
	}
	explained := *refusal
	if path := a.source.unread(); path != "" {
		explained.Hint = unreadHint(path) + "; " + explained.Hint
	}
	if old.Posted.IsZero() {
		return old, &explained
	}
	explained.Say += "; the renewal begun on " + old.Posted.Local().Format(time.DateTime) +
		" got no usable answer, and if the provider took it, the new refresh token was lost with that answer"
	return old, &explained
}

func (a *attempt) save(grant Grant) {
	s := a.source
	a.saveErr = s.Store.Save(s.key(), grant)
	if a.saveErr == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stored = grant
	}
}

// outcome names how the attempt ended; empty = there was nothing to renew.
func (a *attempt) outcome(err *Error) string {
	switch {
	case err.NeedsLogin():
		return "login_needed"
	case err != nil:
		return "failed"
	case a.saveErr != nil && a.result == "renewed":
		return "unsaved"
	}
	return a.result
}

func refusedCode(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Code != "" {
		return e.Code
	}
	return "refused"
}
