package tokens

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func TestSecretsAreThePresentTokensAndTheLastFew(t *testing.T) {
	last := 0
	source := &Source{Name: "x", Store: &MemoryStore{}, Renew: func(context.Context, Grant) (Grant, error) {
		last++
		return Grant{Access: Secret(fmt.Sprint("access-", last)), Refresh: Secret(fmt.Sprint("refresh-", last)), Renewed: time.Now(), Expiry: time.Now().Add(time.Hour)}, nil
	}}
	if got := source.Secrets(); len(got) != 0 {
		t.Errorf("before the first: %d", len(got))
	}
	testkit.NoError(t, source.SetGrant(t.Context(), Grant{Access: "access-0", Refresh: "refresh-0", Renewed: time.Now(), Expiry: time.Now().Add(time.Hour)}))
	for range 20 {
		token, err := source.Fresh(t.Context(), 2*time.Hour) // which none can be
		if token.Access.IsZero() {
			t.Fatal(err)
		}
		for _, secret := range []Secret{token.Access, Secret(fmt.Sprint("access-", last)), Secret(fmt.Sprint("refresh-", last)), Secret(fmt.Sprint("access-", max(0, last-2)))} {
			if !slices.Contains(source.Secrets(), secret) {
				t.Errorf("after %d renewals %q is not among %q", last, secret.Reveal(), source.Secrets())
			}
		}
	}
	if last < 10 || len(source.Secrets()) > formerMost+6 {
		t.Errorf("%d secrets after %d renewals", len(source.Secrets()), last)
	}
}

func TestForgottenTokensAreStillSecret(t *testing.T) {
	source := &Source{Name: "x", Store: &MemoryStore{}}
	testkit.NoError(t, source.SetGrant(t.Context(), Grant{Access: "a", Refresh: "r"}))
	testkit.NoError(t, source.Logout(t.Context()))
	if got := source.Secrets(); !slices.Contains(got, "a") || !slices.Contains(got, "r") {
		t.Errorf("got %d", len(got))
	}
}
