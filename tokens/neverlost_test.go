package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// reuse is a rotating provider that revokes the family when a spent refresh token comes.
func reuse(p *provider) {
	spent := map[string]bool{}
	dead := false
	p.now(func(call int, form url.Values) (*http.Response, error) {
		r := form.Get("refresh_token")
		if dead || spent[r] {
			dead = true
			return reply(400, jsonType, `{"error":"invalid_grant"}`), nil
		}
		spent[r] = true
		return rotating(call, form)
	})
}

func TestTheSaverNeverOverwritesARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		reuse(p)
		store := &brokenStore{}
		testkit.NoError(t, store.MemoryStore.Save("alexa", stored(-time.Second)))
		source := open(t, p, store)
		store.set(nil, errors.New("no space left"), nil)
		mustToken(t, source)      // access-1, only in memory
		time.Sleep(2 * time.Hour) // the disk has room again when the provider answers
		answer := p.answer
		p.now(func(call int, form url.Values) (*http.Response, error) {
			store.set(nil, nil, nil)
			return answer(call, form)
		})
		store.afterUnlock(source.saveHeld) // the saver waited for the lock
		if got := mustToken(t, source); got != "access-2" {
			t.Fatal(got.Reveal())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		again := open(t, p, store)
		again.Reject(Token{Access: again.grant.Access})
		if _, err := again.Token(t.Context()); err != nil {
			t.Errorf("login lost: %v", err)
		}
	})
}

// seeded is a source whose refresh token the configuration gives, as it stands there
// at the time.
func seeded(t *testing.T, p *provider, store Store, refresh *Secret) *Source {
	t.Helper()
	client := p.client()
	var last Grant
	source := &Source{Name: "alexa", Store: store, Renew: client.Refresh, Matches: client.Matches, Seed: func() (Grant, error) {
		if last.Refresh != *refresh {
			last = client.Imported(*refresh)
		}
		return last, nil
	}}
	testkit.NoError(t, source.Load())
	return source
}

func TestAChangedTokenIsTakenInTheSameProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		refresh := Secret("A")
		source := seeded(t, p, &MemoryStore{}, &refresh)
		time.Sleep(time.Second)
		refresh = "A2" // so that LoggedIn is after the begin, as with a real clock
		mustToken(t, source)
		time.Sleep(2 * time.Hour)
		refresh = "B" // the person puts another one into the file
		if _, err := source.Token(t.Context()); err != nil {
			t.Error(err)
		}
		if p.last().Get("refresh_token") != "B" {
			t.Errorf("sent %s", p.last().Get("refresh_token"))
		}
	})
}

func TestARefusedTokenIsReplacedByTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(answering(400, jsonType, `{"error":"invalid_grant"}`))
		refresh := Secret("A")
		source := seeded(t, p, FileStore{Dir: t.TempDir()}, &refresh)
		time.Sleep(time.Second)
		refused(t, source)
		p.now(rotating)
		refresh = "B"
		time.Sleep(startAgain)
		if _, err := source.Token(t.Context()); err != nil {
			t.Error("the person did what the hint said, and: ", err)
		}
	})
}

func TestKilledWhileADamagedFileIsKept(t *testing.T) {
	store, path := saved(t)
	first := load(t, store)
	second := first
	second.Access, second.Refresh = "access-9", "refresh-9"
	testkit.NoError(t, store.Save("alexa", second))
	testkit.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	load(t, store) // the generation before
	killed := store
	killed.step = func(at string) {
		if at == "prepared" {
			panic("killed")
		}
	}
	func() {
		defer func() { recover() }()
		marked := load(t, store)
		killed.Save("alexa", marked)
	}()
	if _, err := store.Load("alexa"); err != nil {
		t.Errorf("after the kill: %v", err)
	}
}

func TestDamageBesideARunningProcessCostsNothing(t *testing.T) {
	p := newProvider()
	reuse(p)
	store := FileStore{Dir: t.TempDir()}
	testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
	source := open(t, p, store)
	mustToken(t, source) // refresh-1, in memory and in the file
	testkit.NoError(t, os.WriteFile(store.Path("alexa"), []byte("{"), 0o600))
	source.Reject(Token{Access: "access-1"})
	_, err := source.Token(t.Context())
	if err != nil || p.last().Get("refresh_token") != "refresh-1" {
		t.Errorf("sent %s: %v", p.last().Get("refresh_token"), err)
	}
}

func TestAnAnswerThatChangesNothingTakesTheMarkBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(answering(200, jsonType, `{"access_token":"access-0","expires_in":3600}`))
		store := holding(t, stored(time.Minute))
		mustToken(t, open(t, p, store))
		synctest.Wait()
		if g := load(t, store); !g.PendingSince.IsZero() || g.Expiry.Before(wallNow().Add(50*time.Minute)) {
			t.Errorf("mark %v, expiry %v", g.PendingSince, g.Expiry.Sub(wallNow()))
		}
		for range 5 {
			mustToken(t, open(t, p, store)) // as 'avsproxy token' does
			synctest.Wait()
		}
		if p.calls() != 1 {
			t.Errorf("%d calls", p.calls())
		}
	})
}

func TestDeadTokensAreNotAskedForWithEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		source := &Source{Name: "alexa", Store: &MemoryStore{}, Unattended: true, Renew: func(context.Context, Grant) (Grant, error) {
			runs++
			return Grant{Kind: "command", Access: Secret(fmt.Sprint("dead-", runs)), Renewed: wallNow(), Expiry: wallNow().Add(-time.Minute)}, nil
		}}
		testkit.NoError(t, source.Load())
		for range 1000 {
			refused(t, source)
		}
		if runs > 3 {
			t.Errorf("%d runs at once", runs)
		}
	})
}

func TestExpiresInOfAnyKindCostsNoToken(t *testing.T) {
	for _, in := range []string{`3600.0`, `3599.9`, `1e9`, `99999999999999999999`, `""`, `"3600.5"`, `"soon"`, `true`, `-4294963696`} {
		p := newProvider()
		p.now(answering(200, jsonType, `{"access_token":"a","refresh_token":"refresh-1","expires_in":`+in+`}`))
		g, err := p.client().Refresh(t.Context(), stored(0))
		t.Log(in, g.Expiry.Sub(g.Renewed), err)
		if err != nil {
			t.Errorf("%s: %v, and refresh-1 is lost", in, err)
		}
	}
}

func TestStatus500WithACodeKeepsTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(answering(500, jsonType, `{"error":"server_error"}`))
		store := holding(t, stored(-time.Second))
		refused(t, open(t, p, store))
		if load(t, store).PendingSince.IsZero() {
			t.Error("the mark was taken back")
		}
	})
}

func TestARotatedTokenIsKeptBesideAnUnusableOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(answering(200, jsonType, `{"access_token":"a","refresh_token":"refresh-1","token_type":"DPoP","expires_in":3600}`))
		store := holding(t, stored(-time.Second))
		source := open(t, p, store)
		refused(t, source)
		time.Sleep(time.Hour)
		refused(t, source)
		if got := p.last().Get("refresh_token"); got != "refresh-1" {
			t.Errorf("posted the spent %s", got)
		}
	})
}

func TestAwaitRenewalSavesAnUnsavedGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		store := &brokenStore{}
		testkit.NoError(t, store.MemoryStore.Save("alexa", stored(-time.Second)))
		source := open(t, p, store)
		store.set(nil, errors.New("no space left"), nil)
		mustToken(t, source)
		store.set(nil, nil, nil)
		testkit.NoError(t, source.AwaitRenewal(t.Context()))
		if got := load(t, store); got.Refresh != "refresh-1" {
			t.Errorf("the process ends and leaves the spent %s", got.Refresh.Reveal())
		}
		time.Sleep(time.Minute)
	})
}

func TestLogoutOfAnUnsavedLoginStaysQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		store := &brokenStore{}
		testkit.NoError(t, store.MemoryStore.Save("alexa", stored(-time.Second)))
		source := open(t, p, store)
		store.set(nil, errors.New("no space left"), nil)
		mustToken(t, source)
		var heard []Outcome
		source.Outcome = func(o Outcome) { heard = append(heard, o) }
		store.set(nil, nil, nil)
		testkit.NoError(t, source.Logout(t.Context()))
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(heard) > 0 {
			t.Error(heard)
		}
	})
}

func TestALockThatIsGivenUpIsClosed(t *testing.T) {
	store := FileStore{Dir: t.TempDir()}
	unlock := testkit.Must(store.Lock(t.Context(), "alexa"))(t)
	defer unlock()
	fds := func() int { e, _ := os.ReadDir("/proc/self/fd"); return len(e) }
	before := fds()
	for range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		store.Lock(ctx, "alexa")
		cancel()
	}
	if n := fds() - before; n > 5 {
		t.Errorf("%d descriptors left open", n)
	}
}

func TestAClientsOwnGrantDoesNotReplaceALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		client := p.client()
		store := FileStore{Dir: t.TempDir()}
		testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
		time.Sleep(time.Second)
		source := &Source{Name: "alexa", Store: store, Unattended: true, Renew: client.ClientCredentials, Matches: func(g Grant) bool { return g.Kind == clientKind }}
		testkit.NoError(t, source.Load())
		mustToken(t, source)
		time.Sleep(2 * time.Hour)
		mustToken(t, source)
		back := &Source{Name: "alexa", Store: store, Renew: client.Refresh, Matches: func(g Grant) bool { return g.Kind != clientKind }} // the person takes the change back
		testkit.NoError(t, back.Load())
		if _, err := back.Token(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestProofWithoutAnAnswerIsMarkedAsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.answer = down
		first := stored(time.Hour)
		g := testkit.Must(newLogin(&Source{Store: &MemoryStore{}}, p.client()).prove(t.Context(), first))(t)
		if g.PendingSince.IsZero() {
			t.Error("a refresh token that may be spent goes unmarked")
		}
	})
}

func TestAnImportThatCouldNotBeKeptSpendsNothing(t *testing.T) {
	p := newProvider()
	store := &brokenStore{}
	store.set(nil, errors.New("no space left"), nil)
	client := p.client()
	source := &Source{Name: "alexa", Store: store, Renew: client.Refresh, Matches: client.Matches, MustSave: true}
	err := source.Import(t.Context(), client.Imported("mine"))
	if err == nil || p.calls() != 0 {
		t.Errorf("%v; the token was spent %d times", err, p.calls())
	}
}

func TestLoginNeededDoesNotReadTheSecretWithEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(answering(400, jsonType, `{"error":"invalid_grant"}`))
		client, runs := p.client(), 0
		source := &Source{Name: "alexa", Store: &MemoryStore{}, Renew: client.Refresh, Matches: client.Matches, Seed: func() (Grant, error) {
			runs++ // refresh_token = { command = ... } runs a program here
			return client.Imported("A"), nil
		}}
		testkit.NoError(t, source.Load())
		for range 1000 {
			refused(t, source)
		}
		if runs > 5 {
			t.Errorf("%d runs of the secret's command", runs)
		}
	})
}
