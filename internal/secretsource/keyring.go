package secretsource

import (
	"context"
	"sync"
	"time"
)

// KeyringTimeout is how long one call to the keyring may take: a person may have to
// unlock it.
const KeyringTimeout = 30 * time.Second

// A Keyring makes one call to the system's keyring at a time. The zero value is
// ready.
type Keyring struct {
	once sync.Once
	turn chan struct{} // holds a value during a call
}

// Call returns what call returns, or [ErrTimeout]. A call that timed out may still
// end, so the next one waits for it: an older secret must not replace a newer one.
func (k *Keyring) Call(ctx context.Context, call func() (string, error)) (string, error) {
	k.once.Do(func() { k.turn = make(chan struct{}, 1) })
	ctx, cancel := context.WithTimeout(ctx, KeyringTimeout)
	defer cancel()
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		return "", ErrTimeout
	}
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-k.turn }()
		text, err := call()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return "", ErrTimeout
	}
}
