package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"time"
)

// markStale is how old a mark may be when what it announces is sent: a process that was stopped
// in between may have been overtaken.
const markStale = 10 * time.Second

// sharedBy is the store as one that machines share; nil = it is none.
func sharedBy(store Store) *SharedStore {
	shared, _ := store.(*SharedStore)
	return shared
}

// lockStored is [Store.Lock]; lost, if not nil, is closed where a lock of a shared store ends before
// unlock.
func lockStored(ctx context.Context, store Store, name string) (unlock func(), lost <-chan struct{}, err error) {
	if shared := sharedBy(store); shared != nil {
		return shared.lease(ctx, name)
	}
	unlock, err = store.Lock(ctx, name)
	return unlock, nil, err
}

// loadStored is [Store.Load], with the revision where the store is shared.
func loadStored(store Store, name string) (Grant, string, error) {
	if shared := sharedBy(store); shared != nil {
		return shared.loadRevision(name)
	}
	grant, err := store.Load(name)
	return grant, "", err
}

// saveStored is [Store.Save]. Where the store is shared, the grant takes the place of that with the
// revision alone.
func saveStored(store Store, name, revision string, grant Grant) (string, error) {
	if shared := sharedBy(store); shared != nil {
		return shared.saveRevision(name, revision, grant)
	}
	return "", store.Save(name, grant)
}

// siblingRenews keeps the refresh token from being sent twice.
func siblingRenews(left time.Duration) *Error {
	return newError(ActionRetry, "another avsproxy has begun to renew this login and has not ended it",
		"its answer is waited for, and it goes on here if none comes within "+left.Round(time.Second).String())
}

// renewAlone renews without the shared store where a mark of ours stands in it from before:
// others honour that. away is why the store cannot be asked.
func (a *attempt) renewAlone(timeout time.Duration, away error) (Grant, error) {
	s := a.source
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	unlock, err := sharedBy(s.Store).Journal.Lock(ctx, s.key())
	if err != nil {
		return Grant{}, err
	}
	defer unlock()
	grant, left := sharedBy(s.Store).ownMark(s.key())
	if left < timeout || s.cannotRenew(grant) != nil || !s.matches(grant) {
		e := newError(ActionRetry, "the token was not renewed, for nobody knows here whether another avsproxy renews it",
			"see that the shared store can be reached; the present token serves to its end").because(away)
		a.wait = startAgain
		return Grant{}, e
	}
	a.mustEnd = left
	a.alone = true
	s.mu.Lock()
	a.epoch, a.present, a.login = s.epoch, s.grant.Access, s.grant.LoggedIn
	s.mu.Unlock()
	return a.post(timeout, grant)
}

// limit is for how long an answer may be waited for.
func (a *attempt) limit() time.Duration {
	if a.alone {
		return a.mustEnd
	}
	return responseTimeout
}

// whileMarked gives up a call whose connection is there too late: a process that was stopped, or a
// machine that slept, may have been overtaken since it set the mark.
func (a *attempt) whileMarked(ctx context.Context, marked Grant, giveUp func()) context.Context {
	shared := sharedBy(a.source.Store)
	if shared == nil || marked.PendingSince.IsZero() {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if wallNow().Sub(marked.PendingSince) > shared.longestAnswer()*9/10 {
			giveUp()
		}
	}})
}

// releaseCallers lets the callers go when the lock is lost. The answer is still waited for.
func (a *attempt) releaseCallers(lost <-chan struct{}) (stop func()) {
	if lost == nil {
		return func() {}
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-lost:
			a.flight.giveUp(a.source)
		case <-ended:
		}
	}()
	return func() { close(ended) }
}

// sibling looks, after a refusal, whether another process has renewed meanwhile: then what was sent
// was spent, and the login is not lost. changed: [ErrSuperseded], or why that cannot be known;
// nil = the refusal holds.
func (a *attempt) sibling(sent Grant, refusal error) (present Grant, changed error) {
	if sharedBy(a.source.Store) == nil {
		return Grant{}, nil
	}
	stored, revision, err := loadStored(a.source.Store, a.source.key())
	switch {
	case err != nil && !errors.Is(err, ErrNoGrant):
		e := newError(ActionRetry, "the provider refused the renewal, and nobody knows here whether another avsproxy has renewed it",
			"see that the shared store can be reached").because(errors.Join(err, fmt.Errorf("the provider said: %s", asError(refusal).Message)))
		e.RetryAfter = startAgain
		return sent, e
	case err == nil && (!stored.sameTokens(sent) || stored.MarkedFor > 0 || revision != a.revision):
		return Grant{}, ErrSuperseded
	}
	return Grant{}, nil
}
