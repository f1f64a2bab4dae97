package tokens

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
)

// ErrNoGrant is the error of a store for a credential that has no grant.
var ErrNoGrant = errors.New("no login is stored")

// A Store keeps grants by the name of their credential. It is safe for
// concurrent use. Save returns only when the grant would survive a crash, where
// the store promises that at all.
type Store interface {
	// Load returns ErrNoGrant where there is none. Any other error means that
	// something is there and cannot be used; nothing may overwrite it.
	Load(name string) (Grant, error)
	Save(name string, grant Grant) error
	Delete(name string) error
	// Lock keeps every other user of the store, in this and other processes, from
	// renewing the named grant until unlock is called.
	Lock(ctx context.Context, name string) (unlock func(), err error)
}

// An UnusableError says that a stored grant is there but must not be used or
// overwritten, and how to fix that.
type UnusableError struct {
	Path    string
	Message string
	Hint    string

	damaged bool // by an accident, so that what was there before is as good as it gets
}

func unusable(path, message, hint string) *UnusableError {
	return &UnusableError{Path: path, Message: message, Hint: hint}
}

// Error names the file, the fault and the remedy.
func (e *UnusableError) Error() string {
	return fmt.Sprintf("%s %s; %s", e.Path, e.Message, e.Hint)
}

func isDamaged(err error) bool {
	unusable, ok := errors.AsType[*UnusableError](err)
	return ok && unusable.damaged
}

func reason(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// A MemoryStore forgets everything when the process ends. The zero value is an
// empty store.
type MemoryStore struct {
	grants sync.Map // of [Grant]
	locks  sync.Map // of channels that hold a value while the lock is taken
}

// Format hides the grants, which fmt would show as they are.
func (m *MemoryStore) Format(f fmt.State, _ rune) { fmt.Fprint(f, "memory") }

// Load implements [Store].
func (m *MemoryStore) Load(name string) (Grant, error) {
	grant, ok := m.grants.Load(name)
	if !ok {
		return Grant{}, ErrNoGrant
	}
	return grant.(Grant), nil
}

// Save implements [Store].
func (m *MemoryStore) Save(name string, grant Grant) error {
	m.grants.Store(name, grant)
	return nil
}

// Delete implements [Store].
func (m *MemoryStore) Delete(name string) error {
	m.grants.Delete(name)
	return nil
}

// Lock implements [Store].
func (m *MemoryStore) Lock(ctx context.Context, name string) (func(), error) {
	value, _ := m.locks.LoadOrStore(name, make(chan struct{}, 1))
	lock := value.(chan struct{})
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
