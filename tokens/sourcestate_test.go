package tokens

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

func TestLogoutRemovesAndRevokes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(time.Hour))
		source := open(t, p, store)
		p.now(answering(200, "", ""))
		source.Revoke = p.client().Revoke
		testkit.NoError(t, source.Logout(t.Context()))
		if p.calls() != 1 || p.last().Get("token") != "refresh-0" || p.last().Get("client_secret") != canary {
			t.Errorf("the provider was told %v", p.last())
		}
		if e := refused(t, source); e.Action != ActionLogin || source.Status().State != StateLoginNeeded {
			t.Errorf("%v, %+v", e, source.Status())
		}
		if err := source.Logout(t.Context()); !errors.Is(err, ErrNoGrant) {
			t.Error(err)
		}
	})
}

func TestLogoutSucceedsWhateverTheProviderSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, answer := range []func(*provider){
			func(p *provider) { p.now(down) },
			func(p *provider) { p.now(answering(503, "", "")) },
			func(p *provider) { p.delay = time.Hour },
		} {
			p, store := newProvider(), holding(t, stored(time.Hour))
			answer(p)
			source := open(t, p, store)
			source.Revoke = p.client().Revoke
			if err := source.Logout(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := store.Load("alexa"); !errors.Is(err, ErrNoGrant) {
				t.Error(err)
			}
		}
	})
}

func TestRevokeTellsTheProvider(t *testing.T) {
	p := newProvider()
	grant := stored(time.Hour)
	grant.Refresh = ""
	for status, fails := range map[int]bool{200: false, 204: false, 302: true, 400: true, 503: true} {
		p.now(answering(status, jsonType, canary))
		err := p.client().Revoke(t.Context(), grant)
		if (err != nil) != fails || p.last().Get("token") != "access-0" {
			t.Errorf("%d: %v", status, err)
		}
		if err != nil {
			checkSilent(t, asError(err))
		}
	}
	client := p.client()
	client.RevokeURL = "https://%zz" + canary
	if err := client.Revoke(t.Context(), grant); err == nil {
		t.Error("a bad URL is no error")
	} else {
		checkSilent(t, asError(err))
	}
}

// The moment between a renewal's last look at the store and its publication is
// where a logout or a login may come.
func TestRenewalUndoesNeitherLogoutNorLogin(t *testing.T) {
	login := stored(time.Hour)
	login.Access = "new login"
	for name, c := range map[string]struct {
		meanwhile func(context.Context, *Source) error
		answer    string
		want      Secret
	}{
		"logout, renewed": {func(ctx context.Context, s *Source) error { return s.Logout(ctx) }, "", ""},
		"login, renewed":  {func(ctx context.Context, s *Source) error { return s.SetGrant(ctx, login) }, "", "new login"},
		"logout, refused": {func(ctx context.Context, s *Source) error { return s.Logout(ctx) }, invalidGrant, ""},
		"login, refused":  {func(ctx context.Context, s *Source) error { return s.SetGrant(ctx, login) }, invalidGrant, "new login"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, store := newProvider(), &brokenStore{}
				if c.answer != "" {
					p.now(answering(400, jsonType, c.answer))
				}
				login.Renewed, login.Expiry, login.LoggedIn = wallNow(), wallNow().Add(time.Hour), wallNow()
				testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
				source := open(t, p, store)
				store.afterUnlock(func() {
					if err := c.meanwhile(t.Context(), source); err != nil {
						t.Error(err)
					}
				})
				for range 2 {
					if c.want == "" {
						if e := refused(t, source); e.Action != ActionLogin {
							t.Error(e)
						}
					} else if got := mustToken(t, source); got != c.want {
						t.Errorf("served %s", got.Reveal())
					}
				}
				if got, _ := store.Load("alexa"); got.Access != c.want {
					t.Errorf("stored %s", got.Access.Reveal())
				}
			})
		})
	}
}

// A login whose lock is held by a renewal is not lost to that renewal.
func TestLoginDuringAnEndlessRenewalWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(-time.Second))
		p.delay = 20 * time.Second
		source := open(t, p, store)
		go source.Token(t.Context())
		synctest.Wait()
		login := stored(time.Hour)
		login.Access, login.LoggedIn = "new login", wallNow()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := source.SetGrant(ctx, login); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		for range 4 {
			if got := mustToken(t, source); got != "new login" {
				t.Errorf("served %s", got.Reveal())
			}
			time.Sleep(saveAgain)
			synctest.Wait()
		}
		if got := load(t, store); got.Access != "new login" {
			t.Errorf("stored %s", got.Access.Reveal())
		}
	})
}

func TestReloadTakesOverAnotherProcessesLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(time.Hour))
		source := open(t, p, store)
		testkit.NoError(t, source.Reload(t.Context()))
		if got := mustToken(t, source); got != "access-0" {
			t.Errorf("without another login: %s", got.Reveal())
		}
		time.Sleep(time.Second)
		login := stored(2 * time.Hour)
		login.Access, login.LoggedIn = "another", wallNow()
		testkit.NoError(t, store.Save("alexa", login))
		testkit.NoError(t, source.Reload(t.Context()))
		if got := mustToken(t, source); got != "another" || p.calls() != 0 {
			t.Errorf("%s, %d calls", got.Reveal(), p.calls())
		}
	})
}

func TestImportKeepsOnlyWhatTheProviderTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(time.Hour))
		source := open(t, p, store)
		imported := stored(0)
		imported.Access, imported.Refresh, imported.Expiry = "", "Atzr|imported", time.Time{}
		p.now(answering(400, jsonType, `{"error":"invalid_grant"}`))
		if err := source.Import(t.Context(), imported); !LoginNeeded(err) || load(t, store).Refresh != "refresh-0" {
			t.Errorf("%v; the store holds %v", err, load(t, store))
		}
		p.now(rotating)
		testkit.NoError(t, source.Import(t.Context(), imported))
		if got := load(t, store); p.last().Get("refresh_token") != "Atzr|imported" || got.Refresh != "refresh-2" || mustToken(t, source) != "access-2" {
			t.Errorf("the store holds %v", got)
		}
	})
}
