package tokens

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

func TestWarmRenewsWhileNobodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for warm, want := range map[bool]int{true: 11, false: 0} {
			p := newProvider()
			source := open(t, p, holding(t, stored(time.Hour)))
			source.KeepWarm = warm
			ctx, cancel := context.WithCancel(t.Context())
			go source.Warm(ctx)
			time.Sleep(10*time.Hour + time.Minute) // every 55 minutes
			cancel()
			synctest.Wait()
			if p.calls() < want-1 || p.calls() > want {
				t.Errorf("warm %t: %d renewals", warm, p.calls())
			}
		}
	})
}

func TestTheEndOfALoginIsForeseen(t *testing.T) {
	source := open(t, newProvider(), holding(t, stored(time.Hour)))
	if !source.Status().Ends.IsZero() {
		t.Error("an end is known without a MaxAge")
	}
	source.MaxAge = 365 * 24 * time.Hour
	status := source.Status()
	if got := status.Ends.Sub(status.LoggedIn); got != source.MaxAge {
		t.Errorf("it ends after %v", got)
	}
}

func TestUnattendedSourceNeedsNoLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		source := &Source{Name: "alexa", Store: &MemoryStore{}, Unattended: true}
		source.Renew = func(context.Context, Grant) (Grant, error) {
			calls++
			now := wallNow()
			return Grant{Access: "own", LoggedIn: now, Renewed: now, Expiry: now.Add(time.Hour)}, nil
		}
		testkit.NoError(t, source.Load())
		if got := source.Status(); got.State != StateUnknown || !got.Renewable {
			t.Errorf("%+v", got)
		}
		for range 3 {
			mustToken(t, source)
			time.Sleep(40 * time.Minute)
		}
		if calls != 2 {
			t.Errorf("%d calls", calls)
		}
		source.Renew = func(context.Context, Grant) (Grant, error) { return Grant{}, refusal("invalid_grant") }
		time.Sleep(time.Hour)
		e := refused(t, source)
		kept := testkit.Must(source.Store.Load("alexa.own"))(t)
		if e.Code != "invalid_grant" || kept.Refused != "" {
			t.Errorf("%v; %v", e, kept)
		}
	})
}

func TestConfiguredTokenIsReadAgainWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, reads := Secret("one"), 0
		source := &Source{Name: "alexa", Store: &MemoryStore{}, Seed: func() (Grant, error) {
			reads++
			return Grant{Access: text, Recheck: wallNow().Add(10 * time.Second)}, nil
		}}
		testkit.NoError(t, source.Load())
		var outcomes []Outcome
		source.Outcome = func(outcome Outcome) { outcomes = append(outcomes, outcome) }
		for range 100 {
			mustToken(t, source)
			time.Sleep(time.Second)
		}
		if reads < 8 || reads > 12 || len(outcomes) > 0 {
			t.Errorf("%d reads in 100 s, outcomes %v", reads, outcomes)
		}
		text = "two"
		time.Sleep(10 * time.Second)
		mustToken(t, source)
		synctest.Wait()
		if got := mustToken(t, source); got != "two" {
			t.Errorf("still %s", got.Reveal())
		}
		text = "three"
		source.Reject(Token{Access: "two"})
		if got := mustToken(t, source); got != "three" {
			t.Errorf("after a refusal still %s", got.Reveal())
		}
	})
}

func TestAnOlderConfigurationDoesNotOverwriteANewerLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), &MemoryStore{}
		with := func(seed Secret) *Source {
			grant := Grant{ClientID: "client", Issuer: p.client().TokenURL, Seed: Fingerprint(seed), Refresh: seed, LoggedIn: wallNow()}
			source := &Source{Name: "alexa", Store: store, Renew: p.client().Refresh, Seed: starting(grant)}
			testkit.NoError(t, source.Load())
			return source
		}
		older := with("older")
		mustToken(t, older)
		time.Sleep(time.Minute)
		newer := with("newer")
		mustToken(t, newer)
		time.Sleep(2 * time.Hour)
		if e := refused(t, older); e.Action != ActionConfig {
			t.Error(e)
		}
		if got, err := store.Load("alexa.given"); err != nil || got.Seed != Fingerprint("newer") {
			t.Error("it was overwritten", err)
		}
		mustToken(t, newer)
	})
}
