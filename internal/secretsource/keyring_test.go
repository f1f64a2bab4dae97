package secretsource

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestKeyringCallsTimeOutAndKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k Keyring
		release, began := make(chan struct{}), time.Now()
		hang := func() (string, error) { <-release; return "", nil }
		if _, err := k.Call(t.Context(), hang); !errors.Is(err, ErrTimeout) || time.Since(began) != KeyringTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		next := func() (string, error) { return "next", nil }
		if _, err := k.Call(t.Context(), next); !errors.Is(err, ErrTimeout) {
			t.Errorf("a call did not wait for the one before it: %v", err)
		}
		close(release)
		if text, err := k.Call(t.Context(), next); text != "next" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
	})
}
