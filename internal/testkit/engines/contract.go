package engines

import (
	"context"
	"testing"
	"time"

	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

// TestEngine tries what the interface promises.
func TestEngine(t *testing.T, engine tokens.Engine) {
	t.Run("entries", func(t *testing.T) { testEntries(t, engine) })
	t.Run("leases", func(t *testing.T) { testLeases(t, engine) })
	t.Run("changes", func(t *testing.T) { testChanges(t, engine) })
	t.Run("values", func(t *testing.T) { testValues(t, engine) })
	if _, err := engine.Advise(t.Context()); err != nil {
		t.Error(err)
	}
}

func swap(t *testing.T, engine tokens.Engine, old, revision, value string, want bool) {
	t.Helper()
	if won, err := engine.Swap(t.Context(), "grant:x", old, revision, []byte(value)); err != nil || won != want {
		t.Errorf("swap of %q: %v, %v", old, won, err)
	}
}

func testEntries(t *testing.T, engine tokens.Engine) {
	get := func(revision, value string) {
		t.Helper()
		entry, err := engine.Get(t.Context(), "grant:x")
		if err != nil || entry.Revision != revision || string(entry.Value) != value || entry.Age < 0 || entry.Age > time.Minute {
			t.Errorf("%+v, %v, not %q", entry, err, value)
		}
	}
	get("", "")
	swap(t, engine, "nothing", "1", "one", false)
	swap(t, engine, "", "1", "one", true)
	swap(t, engine, "", "2", "two", false)
	get("1", "one")
	swap(t, engine, "1", "2", "two\x00\xff", true)
	swap(t, engine, "1", "3", "three", false)
	get("2", "two\x00\xff")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := engine.Get(over, "grant:x"); err == nil {
		t.Error("a call whose context is over has a result")
	}
}

func testLeases(t *testing.T, engine tokens.Engine) {
	lease := func(owner string, life time.Duration, want bool) {
		t.Helper()
		if got, err := engine.Lease(t.Context(), "lock:x", owner, life); err != nil || got != want {
			t.Errorf("lease of %s: %v, %v", owner, got, err)
		}
	}
	release := func(owner string) {
		t.Helper()
		testkit.NoError(t, engine.Release(t.Context(), "lock:x", owner))
	}
	lease("a", time.Minute, true)
	lease("b", time.Minute, false)
	lease("a", time.Minute, true)
	release("b")
	lease("b", time.Minute, false)
	release("a")
	lease("b", 50*time.Millisecond, true)
	testkit.Eventually(t, engine, func() bool { got, _ := engine.Lease(t.Context(), "lock:x", "c", time.Minute); return got })
}

func testChanges(t *testing.T, engine tokens.Engine) {
	changes, subscribed := make(chan string, 10), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- engine.Changes(ctx, func() { close(subscribed) }, func(key string) { changes <- key })
	}()
	testkit.Receive(t, "the subscription", subscribed)
	swap(t, engine, "2", "3", "three", true)
	if got := testkit.Receive(t, "a change", changes); got != "grant:x" {
		t.Errorf("a change of %s", got)
	}
	cancel()
	if err := testkit.Receive(t, "the end of the changes", ended); err == nil {
		t.Error("changes end without an error")
	}
}

func testValues(t *testing.T, engine tokens.Engine) {
	take := func(want string) {
		t.Helper()
		if value, err := engine.Take(t.Context(), "login:x"); err != nil || string(value) != want {
			t.Errorf("%q, %v, not %q", value, err, want)
		}
	}
	put := func(value string, life time.Duration) {
		t.Helper()
		testkit.NoError(t, engine.Put(t.Context(), "login:x", []byte(value), life))
	}
	take("")
	put("once", time.Minute)
	take("once")
	take("")
	put("over", time.Millisecond)
	time.Sleep(20 * time.Millisecond) // by the engine's clock, which a test cannot move
	take("")
}
