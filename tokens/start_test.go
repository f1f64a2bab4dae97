package tokens

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

func starting(grant Grant) func() (Grant, error) {
	return func() (Grant, error) { return grant, nil }
}

func TestStaticTokenIsServedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, opened := range []bool{true, false} {
			source := &Source{Name: "alexa", Kind: "static", Store: &MemoryStore{}, Seed: starting(Grant{Access: "fixed"})}
			if opened {
				testkit.NoError(t, source.Load())
			}
			token, err := source.Fresh(t.Context(), 24*time.Hour)
			if err != nil || token.Access != "fixed" || !token.Expiry.IsZero() {
				t.Fatal(err)
			}
			source.Reject(token)
			if mustToken(t, source) != "fixed" || source.Status().State != StateReady {
				t.Error("a rejected static token is gone")
			}
		}
	})
}

func TestConfiguredRefreshTokenIsTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), &MemoryStore{}
		initial := Grant{Kind: "refresh_token", ClientID: "client", Issuer: p.client().TokenURL, Seed: "1", Refresh: "imported"}
		begin := func() *Source {
			source := &Source{Name: "alexa", Store: store, Renew: p.client().Refresh, Seed: starting(initial)}
			testkit.NoError(t, source.Load())
			return source
		}
		if got := mustToken(t, begin()); got != "access-1" || p.last().Get("refresh_token") != "imported" {
			t.Error(got.Reveal())
		}
		if got := mustToken(t, begin()); got != "access-1" {
			t.Error("the next process did not go on from what was saved")
		}
		initial.Seed, initial.Refresh = "2", "another"
		if got := mustToken(t, begin()); got != "access-2" || p.last().Get("refresh_token") != "another" {
			t.Error("a newly configured token does not replace what grew from the old one")
		}
	})
}

func TestEachStartHasItsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		foreign, refusedGrant, ending := stored(time.Hour), stored(-time.Hour), stored(-time.Hour)
		foreign.ClientID = "somebody else's"
		refusedGrant.Refused = "invalid_grant"
		ending.Refresh = ""
		for name, c := range map[string]struct {
			store *MemoryStore
			state State
			token Secret
			calls int
		}{
			"fresh":             {holding(t, stored(time.Hour)), StateReady, "access-0", 0},
			"due":               {holding(t, stored(time.Minute)), StateReady, "access-0", 1},
			"expired":           {holding(t, stored(-time.Hour)), StateUnknown, "access-1", 1},
			"nothing":           {&MemoryStore{}, StateLoginNeeded, "", 0},
			"another client's":  {holding(t, foreign), StateLoginNeeded, "", 0},
			"refused":           {holding(t, refusedGrant), StateLoginNeeded, "", 0},
			"ended, no refresh": {holding(t, ending), StateLoginNeeded, "", 0},
		} {
			p := newProvider()
			source := open(t, p, c.store)
			if got := source.Status(); got.State != c.state || got.Name != "alexa" {
				t.Errorf("%s: state %s, want %s", name, got.State, c.state)
			}
			if got := open(t, p, c.store).Peek(); got.State != c.state {
				t.Errorf("%s: peeked state %s, want %s", name, got.State, c.state)
			}
			if c.token != "" {
				if got := mustToken(t, source); got != c.token {
					t.Errorf("%s: %s", name, got.Reveal())
				}
			} else if e := refused(t, source); e.Action != ActionLogin || e.Hint == "" {
				t.Errorf("%s: %v", name, e)
			}
			synctest.Wait()
			if p.calls() != c.calls {
				t.Errorf("%s: %d token calls, want %d", name, p.calls(), c.calls)
			}
		}
	})
}

func TestAnotherClientsGrantIsKept(t *testing.T) {
	foreign := stored(-time.Hour)
	foreign.ClientID = "another"
	store := holding(t, foreign)
	refused(t, open(t, newProvider(), store))
	if got := load(t, store); !got.sameTokens(foreign) {
		t.Error("it was changed")
	}
}

func TestUnusableStoreIsAConfigurationError(t *testing.T) {
	store := &brokenStore{load: unusable("/x/alexa.grant.json", "is damaged", "mend it")}
	source := &Source{Name: "alexa", Store: store}
	var unusable *UnusableError
	if err := source.Load(); !errors.As(err, &unusable) {
		t.Errorf("Open: %v", err)
	}
	if status := source.Status(); status.State != StateFailing || status.Failure.Action != ActionConfig {
		t.Errorf("%+v", status)
	}
	e := refused(t, source)
	if e.Action != ActionConfig || !errors.As(e, &unusable) || e.Hint != "/x/alexa.grant.json is damaged; mend it" {
		t.Errorf("%v; %s", e, e.Hint)
	}
}

func TestPlainErrorsOfRenewBecomeOurs(t *testing.T) {
	source := open(t, newProvider(), holding(t, stored(-time.Hour)))
	source.Renew = func(context.Context, Grant) (Grant, error) { return Grant{}, errDown }
	if e := refused(t, source); e.Action != ActionRetry || !errors.Is(e, errDown) {
		t.Error(e)
	}
}
