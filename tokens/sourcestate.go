package tokens

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// SetGrant saves a new login and makes it current. If it cannot be saved it serves
// from memory all the same and the error is an [ErrUnsaved]; it is saved as soon as
// that can be done.
func (s *Source) SetGrant(ctx context.Context, grant Grant) error {
	unlock, err := s.Store.Lock(ctx, s.key())
	if err != nil {
		if shared := sharedBy(s.Store); shared != nil {
			_ = shared.Journal.Save(s.key(), grant) // it is offered to the store when that is there
		}
		return s.adoptLogin(grant, err)
	}
	defer unlock()
	return s.setGrant(grant)
}

// setGrant is SetGrant for callers that have the store's lock.
func (s *Source) setGrant(grant Grant) error {
	return s.adoptLogin(grant, s.Store.Save(s.key(), grant))
}

// adoptLogin makes grant current; err is why it could not be saved.
func (s *Source) adoptLogin(grant Grant, err error) error {
	stored, _ := s.Store.Load(s.key()) // one that cannot be used counts as none
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	s.stored = stored
	s.publishLocked(grant, err)
	if err != nil {
		return unsavedError(err)
	}
	s.unread().drop()
	return nil
}

// ErrUnsaved is in the error of a login that serves but would not outlive the process.
var ErrUnsaved = errors.New("the login could not be saved")

func unsavedError(err error) error { return fmt.Errorf("%w: %w", ErrUnsaved, err) }

// Reload takes over a login that another process made since, without waiting for
// the present token to end. It asks nothing of the provider.
func (s *Source) Reload(ctx context.Context) error {
	unlock, err := s.Store.Lock(ctx, s.key())
	if err != nil {
		return err
	}
	defer unlock()
	a := &attempt{source: s}
	grant, err := a.load()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && !a.held && a.epoch == s.epoch && grant.LoggedIn.After(s.grant.LoggedIn) {
		s.epoch++
		s.publishLocked(grant, nil)
	}
	return err
}

// Follow takes over what other machines have done to the shared store: a renewal, a login or a
// logout. It asks nothing of the provider, and does nothing with a store that is not shared.
func (s *Source) Follow() {
	if sharedBy(s.Store) == nil {
		return
	}
	stored, _, err := loadStored(s.Store, s.key())
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.flight != nil || s.unsaved != nil: // which looks itself
	case errors.Is(err, ErrNoGrant) && !s.grant.sameTokens(Grant{}) && !s.Unattended && s.Seed == nil:
		s.epoch++
		s.stored = Grant{}
		s.publishLocked(Grant{}, nil)
		s.failure = s.loginNeeded("nobody is logged in")
	case err == nil && s.matches(stored) && stored.PendingSince.IsZero() && stored.Refused == "" && !stored.sameTokens(s.grant) && stored.laterThan(s.grant):
		s.epoch++
		s.stored = stored
		s.publishLocked(stored, nil)
	}
}

// TakeNew has the source ask for another token than its present one: it is known that there is one.
func (s *Source) TakeNew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight == nil {
		s.retryAt = time.Time{}
		_, _ = s.startLocked(s.grant.Access)
	}
}

// Import makes a refresh token that was got elsewhere the login, once a renewal
// has proven that it works; the grant says to which client it belongs. What is
// stored stays where it does not. A refresh token that is the present one, or that
// the present one grew from, is sent to nobody: providers rotate refresh tokens, and
// one that comes back spent ends the login. The error is then [ErrImported]. Import
// waits for the store's lock as ctx allows, but for the response as long as it may come.
func (s *Source) Import(ctx context.Context, grant Grant) error {
	unlock, err := s.Store.Lock(ctx, s.key())
	if err != nil {
		return err
	}
	defer unlock()
	stored, err := s.Store.Load(s.key())
	switch {
	case err == nil && s.matches(stored) && grewFrom(stored, grant):
		return importedBefore(stored)
	case err != nil && !errors.Is(err, ErrNoGrant) && !isDamaged(err):
		return err
	}
	return importing{s, grant, s.key() + ".importing"}.run()
}

// Logout ends the login here: Revoke, if set, is called first, and its error does
// not keep the grant from being removed from memory and store. It returns
// ErrNoGrant where there was none.
func (s *Source) Logout(ctx context.Context) error {
	unlock, err := s.Store.Lock(ctx, s.key())
	if err != nil {
		return err
	}
	defer unlock()
	grant, err := s.storedOrHeld()
	if isDamaged(err) {
		err = nil // there is nothing to revoke it by, but it is to go
	} else if err != nil && !errors.Is(err, ErrNoGrant) {
		return err
	}
	if err == nil && s.Revoke != nil {
		_ = s.Revoke(ctx, grant) // a provider that is down must not keep anybody logged in here
	}
	if err := s.Store.Delete(s.key()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	s.stored = Grant{}
	s.publishLocked(Grant{}, nil)
	s.failure = s.loginNeeded("nobody is logged in")
	return err
}

// forgetUnsaved is for what only memory had, and nobody needs any more.
func (s *Source) forgetUnsaved() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsaved = nil
}

// storedOrHeld returns what the store holds, or what it could not take.
func (s *Source) storedOrHeld() (Grant, error) {
	grant, err := s.Store.Load(s.key())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsaved != nil && (err == nil || errors.Is(err, ErrNoGrant)) {
		return s.grant, nil
	}
	return grant, err
}

// AwaitRenewal waits for a renewal that is under way. A process should call it before
// it ends: the response to a renewal may hold the only refresh token that is left.
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
	s.flight = &renewal{done: make(chan struct{}), late: make(chan struct{}), unwanted: unwanted}
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

// saveAgain is the time between attempts to save what the store could not take.
const saveAgain = 10 * time.Second

// saveSoonLocked has what only memory holds saved a little later, also if nobody
// asks for a token by then: until it is saved, a crash would lose the login.
func (s *Source) saveSoonLocked() {
	if s.saver != nil {
		s.saver.Stop()
	}
	s.saver = time.AfterFunc(saveAgain, s.saveHeld)
}

var (
	errWentBack = errors.New("the store went back to a login that was renewed since")
	errRenewing = errors.New("a renewal is under way")
)

// saveHeld saves what only memory holds.
func (s *Source) saveHeld() {
	ctx, cancel := context.WithTimeout(context.Background(), saveAgain)
	defer cancel()
	a := &attempt{source: s, held: true} // as long as nothing else is known
	unlock, err := s.Store.Lock(ctx, s.key())
	if err == nil {
		defer unlock()
		// One under way has what is newer, or waits for the lock and then saves what is held.
		if s.Status().Renewing {
			err = errRenewing
		} else if grant, loadErr := a.load(); loadErr != nil && a.held {
			err = loadErr
		} else if a.held {
			a.save(grant)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !a.held:
		s.startLocked("") // others did something to the store; go on from there
	case err == nil && a.epoch == s.epoch:
		s.unsaved = a.saveErr
	}
	if s.unsaved != nil {
		s.saveSoonLocked()
	}
}

func (s *Source) unread() unreadFiles {
	if store, ok := s.Store.(interface{ unread(name string) unreadFiles }); ok {
		return store.unread(s.key())
	}
	return unreadFiles{}
}
