package tokens

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"avsproxy/internal/charset"
)

// An Engine keeps what a [SharedStore] gives it, for processes on many machines. An error of
// a method means that the engine cannot be reached, or that nobody knows what it did: it may
// have done it.
type Engine interface {
	// Get returns an entry; without a revision = there is none.
	Get(ctx context.Context, key string) (Entry, error)
	// Swap replaces the entry that has the revision old ("" = there is none) by value. false =
	// it has another revision.
	Swap(ctx context.Context, key, old, revision string, value []byte) (bool, error)
	// Lease gives key to owner for so long, or longer where it is owner's already. false =
	// another one has it.
	Lease(ctx context.Context, key, owner string, life time.Duration) (bool, error)
	// Release ends the lease of owner, and no other's.
	Release(ctx context.Context, key, owner string) error
	// Put keeps a value for so long.
	Put(ctx context.Context, key string, value []byte, life time.Duration) error
	// Take returns a value and removes it, so that one caller gets it; nil = there is none.
	Take(ctx context.Context, key string) ([]byte, error)
	// Changes calls changed with the key of each entry that is written, until ctx ends or the
	// engine cannot be reached; subscribed is called when it begins. These are hints: some may be lost.
	Changes(ctx context.Context, subscribed func(), changed func(key string)) error
	// Advise says in words how the engine's settings may lose what it has acknowledged.
	Advise(ctx context.Context) ([]string, error)
	// String names the engine, without what is secret in its address.
	fmt.Stringer
}

// An Entry is what an [Engine] keeps under a key.
type Entry struct {
	Revision string // another with each write
	Value    []byte
	Age      time.Duration // since it was written, by the engine's clock
}

// ErrSuperseded says that another process changed the stored grant since it was read.
var ErrSuperseded = errors.New("another process changed the stored login meanwhile")

// A StoreAwayError says that the shared store cannot be asked, so that nobody knows whether a
// sibling renews.
type StoreAwayError struct {
	Store string
	Err   error
}

// Error names the store and the cause, on one line.
func (e *StoreAwayError) Error() string {
	cause := charset.Printable(strings.Join(strings.Fields(e.Err.Error()), " "))
	return "the shared store " + e.Store + " cannot be reached: " + cause
}

// Unwrap returns the cause.
func (e *StoreAwayError) Unwrap() error { return e.Err }

func isAway(err error) bool {
	_, away := errors.AsType[*StoreAwayError](err)
	return away
}
