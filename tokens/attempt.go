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
	flight   *renewal      // what it is for; nil = no renewal
	unwanted Secret        // an access token that will not do, though it may look live
	epoch    int           // of the source, when the attempt read what it goes on from
	present  Secret        // what the source handed out until then
	login    time.Time     // when that login was made
	held     bool          // it goes on from a grant that only memory has
	revision string        // of the stored grant, in a shared store
	looks    bool          // it changes nothing in the store
	alone    bool          // without the shared store, by a mark from before
	mustEnd  time.Duration // by when the answer must be there, if alone
	result   Outcome       // renewed or adopted; empty while neither happened
	saveErr  error
	wait     time.Duration // until the next attempt, where this one has decided about it
}

// renewInTurn is renew, when there is a place.
func (a *attempt) renewInTurn() (Grant, error) {
	places := a.source.Renewals
	if places == nil {
		return a.renew()
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
		return a.renew()
	case <-time.After(cmp.Or(a.source.Timeout, renewTimeout)):
		return Grant{}, newError(ActionRetry, "too many renewals wait for the same provider", "see whether it answers; "+hintKept)
	}
}

// renew returns the best grant there is, also beside an error: a stored token
// that is still live serves on while the provider cannot be reached.
func (a *attempt) renew() (Grant, error) {
	s := a.source
	timeout := cmp.Or(s.Timeout, renewTimeout)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	unlock, lost, err := lockStored(ctx, s.Store, s.key())
	if isAway(err) {
		return a.renewAlone(timeout, err)
	}
	if err != nil {
		return Grant{}, err
	}
	defer unlock()
	defer a.releaseCallers(lost)()
	for i := range sharedAttempts { // until nobody is faster
		var grant Grant
		if grant, err = a.renewLocked(timeout); !errors.Is(err, ErrSuperseded) {
			return grant, err
		}
		time.Sleep(time.Duration(i) * 50 * time.Millisecond)
	}
	return Grant{}, err
}

// renewLocked is renew for who has the lock. ErrSuperseded = another process changed the grant
// since it was read.
func (a *attempt) renewLocked(timeout time.Duration) (Grant, error) {
	s := a.source
	grant, err := a.load()
	if err != nil {
		return Grant{}, err
	}
	if a.held {
		a.save(grant) // at once: the provider may be down for long, and the store have room again
	}
	if now := wallNow(); grant.live(now) && !grant.due(now) && grant.Access != a.unwanted && grant.Refused == "" {
		if grant.Access != a.present {
			a.result = OutcomeAdopted
		}
		return grant, nil
	}
	if dead := s.cannotRenew(grant); dead != nil {
		return grant, dead
	}
	if grant.MarkedFor > 0 {
		a.wait = min(grant.MarkedFor, startAgain)
		return grant, siblingRenews(grant.MarkedFor)
	}
	if grant.Failed.backingOff() { // another process has found out
		a.wait = until(grant.Failed.Retry)
		return grant, grant.Failed.error()
	}
	return a.post(timeout, grant)
}

// load returns the grant to go on from: what only memory has, else what the
// store holds, else what to start from.
func (a *attempt) load() (Grant, error) {
	s := a.source
	var stored Grant
	var err error
	if a.looks {
		stored, err = s.Store.Load(s.key())
	} else {
		stored, a.revision, err = loadStored(s.Store, s.key())
	}
	var held Grant
	held, a.held = a.reconcile(stored, err)
	if shared := sharedBy(s.Store); shared != nil && a.held {
		switch {
		case err != nil && !errors.Is(err, ErrNoGrant):
			return Grant{}, err // whether somebody else has renewed is not known
		case !shared.lacks(s.key(), held):
			a.held = false
			s.forgetUnsaved()
		}
	}
	if a.held {
		return held, nil
	}
	if err != nil && !errors.Is(err, ErrNoGrant) {
		return Grant{}, err
	}
	var start Grant
	var startErr error
	if s.Seed != nil {
		start, startErr = s.Seed()
	}
	// A login is kept also where the refresh token that it began with cannot be read
	// any more: it may have served its purpose.
	if err == nil && s.matches(stored) && (s.Seed == nil || startErr != nil || stored.Seed == start.Seed) {
		return stored, nil
	}
	switch {
	case startErr != nil:
		return Grant{}, newError(ActionConfig, "the configured token cannot be had", hintConfig).because(startErr)
	case err == nil && stored.LoggedIn.After(s.begin()) && !stored.LoggedIn.Equal(a.login):
		return Grant{}, outdated()
	case s.Seed != nil || s.Unattended:
		return start, nil
	case err == nil:
		return Grant{}, s.loginNeeded("the stored login was made for another client_id or provider")
	}
	return Grant{}, s.loginNeeded("nobody is logged in")
}

// reconcile returns the grant that only memory has, because the store could not
// take it. It gives way to what somebody else did to the store since we last saw
// it: a logout, or a later login or renewal. A store that cannot be used, or that
// holds a refused grant, is no reason to give up a good one.
func (a *attempt) reconcile(stored Grant, err error) (held Grant, ok bool) {
	s := a.source
	s.mu.Lock()
	defer s.mu.Unlock()
	a.epoch, a.present, a.login = s.epoch, s.grant.Access, s.grant.LoggedIn
	if err == nil && s.unsaved == nil && !s.spent.IsZero() && stored.Refresh == s.spent && !stored.newerThan(s.grant) {
		s.unsaved = errWentBack // a damaged file, or a backup that was put in its place
	}
	older := stored.sameTokens(s.stored) || (err == nil && (stored.Refused != "" || !stored.newerThan(s.grant)))
	unusable := err != nil && !errors.Is(err, ErrNoGrant)
	if !isAway(err) {
		s.stored = stored
	}
	if !older && !unusable {
		s.unsaved = nil
	}
	return s.grant, s.unsaved != nil || unusable && !s.grant.sameTokens(Grant{})
}

// post asks the provider. The wait for the lock must not cut the call short: an
// response that we do not stay for may hold the only refresh token that is left.
func (a *attempt) post(timeout time.Duration, old Grant) (Grant, error) {
	marked, err := a.mark(old)
	if err != nil {
		return old, err
	}
	ctx, cancel := runningTimeout(min(responseTimeout, a.limit()))
	defer cancel()
	ctx = a.whileMarked(ctx, marked, cancel)
	defer a.boundCallers(timeout)()
	renewed, err := a.source.Renew(ctx, marked)
	a.source.unread().note(err)
	if LoginNeeded(err) && !a.source.Unattended {
		if sibling, changed := a.sibling(marked, err); changed != nil {
			return sibling, changed
		}
		return a.refused(old, err)
	}
	renewed.PendingSince, renewed.Failed = time.Time{}, Failed{}
	switch rotated := !renewed.Refresh.IsZero() && renewed.Refresh != marked.Refresh; {
	case err != nil && rotated: // beside an access token that is of no use
		a.save(renewed)
		return renewed, err
	case err != nil && a.source.Unattended && marked.sameTokens(Grant{}):
		return marked, err // there is nothing to note it in
	case err != nil:
		return a.fail(a.unmark(old, marked, err), err)
	case !renewed.sameTokens(marked): // else a command that still prints the token it printed before
		a.result = OutcomeRenewed
	}
	switch a.save(renewed); {
	case a.saveErr == nil:
		a.source.unread().drop()
	case errors.Is(a.saveErr, ErrSuperseded):
		a.saveErr = nil
		return renewed, ErrSuperseded
	}
	return renewed, nil
}

// boundCallers lets the callers go after timeout, while the response is waited for.
func (a *attempt) boundCallers(timeout time.Duration) (stop func()) {
	if a.source.WaitForResponse {
		return func() {}
	}
	waiting, cancel := runningTimeout(timeout)
	context.AfterFunc(waiting, func() {
		if context.Cause(waiting) == context.DeadlineExceeded {
			a.flight.giveUp(a.source)
		}
	})
	return cancel
}

// mark writes down, ahead of the call, that the refresh token is about to be
// sent: a process that finds the mark knows that the response may have been lost.
// A store that takes nothing does not stop a process that goes on; what it gets
// serves from memory.
func (a *attempt) mark(old Grant) (Grant, error) {
	shared := sharedBy(a.source.Store) != nil
	if a.source.Unattended || a.alone || !old.PendingSince.IsZero() && !a.source.MustSave && !shared {
		return old, nil
	}
	marked := old
	marked.PendingSince, marked.MarkedFor = cmp.Or(old.PendingSince, wallNow()), 0
	if shared {
		marked.PendingSince = wallNow() // from now on it is ours
	}
	switch a.save(marked); {
	case a.saveErr != nil && shared:
		return old, a.saveErr
	case shared && wallNow().Sub(marked.PendingSince) > markStale:
		return old, ErrSuperseded // this process was stopped meanwhile
	case a.saveErr != nil && a.source.MustSave:
		return old, newError(ActionConfig, "the token was not renewed: the store takes nothing, and what the provider gave would be lost at the end of this command", a.saveErr.Error())
	}
	return marked, nil
}

// unmark takes the mark back where the provider cannot have taken the refresh
// token: it said so, or the request never reached it.
func (a *attempt) unmark(old, marked Grant, err error) Grant {
	e, ok := errors.AsType[*Error](err)
	said := ok && e.Code != "" && (e.Action == ActionLogin || e.Action == ActionConfig)
	dial, ok := errors.AsType[*net.OpError](err)
	neverSent := ok && dial.Op == "dial"
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	if a.source.Unattended || !said && !neverSent && !badCertificate {
		return marked
	}
	return old
}

// fail notes in the grant how its renewal failed and when to try again: after what
// the provider asked for, else after a back-off with full jitter.
func (a *attempt) fail(grant Grant, err error) (Grant, error) {
	e, now := asError(err), wallNow()
	a.wait = a.source.pause(e)
	failed := Failed{Action: e.Action, Code: e.Code, Message: e.Error(), Hint: e.Hint, At: now, Retry: now.Add(a.wait)}
	if !a.source.Unattended { // which no login helps
		failed = failed.count(grant.Failed, e.sign)
	}
	grant.Failed = failed
	a.save(grant)
	if failed.probably() {
		return grant, failed.error()
	}
	return grant, err
}

// refused keeps the grant, marked as dead, for diagnosis. A mark from before this
// call tells the likely reason.
func (a *attempt) refused(old Grant, err error) (Grant, error) {
	e := *asError(err) // the original may be shared
	old.Refused, old.Failed = cmp.Or(e.Code, "refused"), Failed{}
	if a.save(old); errors.Is(a.saveErr, ErrSuperseded) {
		a.saveErr = nil
		return old, ErrSuperseded
	}
	e.hintAtUnread(a.source.unread().first())
	if !old.PendingSince.IsZero() {
		e.Message += "; the renewal begun on " + old.PendingSince.Local().Format(time.DateTime) +
			" got no usable answer, and if the provider took it, the new refresh token was lost with that answer"
	}
	return old, &e
}

func (a *attempt) save(grant Grant) {
	s := a.source
	var revision string
	revision, a.saveErr = saveStored(s.Store, s.key(), a.revision, grant)
	if a.saveErr == nil {
		a.revision = revision
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stored = grant
	}
}

// outcome names how the attempt ended; empty = there was nothing to renew.
func (a *attempt) outcome(err *Error) Outcome {
	switch {
	case err.NeedsLogin():
		return OutcomeLoginNeeded
	case err != nil:
		return OutcomeFailed
	case a.saveErr != nil && a.result == OutcomeRenewed:
		return OutcomeUnsaved
	}
	return a.result
}

// outdated keeps a process with an older configuration from overwriting a login
// that was made with a newer one.
func outdated() *Error {
	return newError(ActionConfig, "somebody has logged in with another configuration since this process began",
		"start it again with the present configuration")
}
