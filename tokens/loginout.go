package tokens

import (
	"context"
	"errors"
	"fmt"
)

// SetGrant saves a new login and makes it current. If it cannot be saved it serves
// from memory all the same and the error is an [ErrUnsaved]; it is saved as soon as
// that can be done.
func (s *Source) SetGrant(ctx context.Context, grant Grant) error {
	unlock, err := s.Store.Lock(ctx, s.key())
	if err != nil {
		return s.adoptLogin(grant, err)
	}
	defer unlock()
	return s.setGrant(grant)
}

// setGrant is SetGrant for who has the store's lock.
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

// Logout ends the login here: Revoke, if set, is called first, and its error does
// not keep the grant from being removed from memory and store. It returns
// ErrNoGrant where there was none.
func (s *Source) Logout(ctx context.Context) error {
	unlock, err := s.Store.Lock(ctx, s.key())
	if err != nil {
		return err
	}
	defer unlock()
	grant, err := s.loaded()
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

// loaded is what the store holds, or what it could not take.
func (s *Source) loaded() (Grant, error) {
	grant, err := s.Store.Load(s.key())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsaved != nil && (err == nil || errors.Is(err, ErrNoGrant)) {
		return s.grant, nil
	}
	return grant, err
}
