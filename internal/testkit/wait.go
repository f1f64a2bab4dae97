package testkit

import (
	"context"
	"testing"
	"time"
)

// Timeout bounds the wait for what comes soon. No test that passes takes so long,
// however busy the machine.
const Timeout = 2 * time.Minute

// Context returns a context that ends with the test, or after [Timeout].
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	t.Cleanup(cancel)
	return ctx
}

// Eventually waits until holds returns true, where no event tells. A test that fails says
// what it waited for.
func Eventually(t testing.TB, what any, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(Timeout); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %v", what)
		}
	}
}

// Receive returns the next value of ch, or the zero value where ch is closed.
func Receive[T any](t testing.TB, what any, ch <-chan T) (value T) {
	t.Helper()
	select {
	case value = <-ch:
	case <-time.After(Timeout):
		t.Fatalf("waited in vain for %v", what)
	}
	return value
}
