package testkit

import (
	"context"
	"testing"
	"time"
)

// Timeout bounds the wait for what comes soon. No test that passes takes so long,
// however busy the machine.
const Timeout = 90 * time.Second

// Context returns a context that ends with the test, or after [Timeout].
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	t.Cleanup(cancel)
	return ctx
}

// Eventually waits until holds returns true, where no event tells. For a test that
// fails, what says what was waited for.
func Eventually(t testing.TB, holds func() bool, what ...any) {
	t.Helper()
	for end := time.Now().Add(Timeout); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(append([]any{"waited in vain for "}, what...)...)
		}
	}
}

// Receive returns the next value of ch; ok is false where ch is closed.
func Receive[T any](t testing.TB, ch <-chan T, what ...any) (value T, ok bool) {
	t.Helper()
	select {
	case value, ok = <-ch:
	case <-time.After(Timeout):
		t.Fatal(append([]any{"waited in vain for "}, what...)...)
	}
	return value, ok
}
