package tokens

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

var errFull = errors.New("no space left on device")

// unsaved is a source that renewed access-0 into access-1 while the disk was full.
func unsaved(t *testing.T, p *provider) (*Source, *brokenStore) {
	t.Helper()
	store := &brokenStore{save: errFull}
	testkit.NoError(t, store.MemoryStore.Save("alexa", stored(-time.Second)))
	source := open(t, p, store)
	if got := mustToken(t, source); got != "access-1" || !errors.Is(source.Status().Unsaved, errFull) {
		t.Fatalf("%s, %v", got.Reveal(), source.Status().Unsaved)
	}
	return source, store
}

func TestUnsavedRenewalServesAndIsSavedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		source, store := unsaved(t, p)
		var outcomes []Outcome
		source.Outcome = func(outcome Outcome) { outcomes = append(outcomes, outcome) }
		for range 600 {
			mustToken(t, source)
			time.Sleep(100 * time.Millisecond)
		}
		if store.tried() < 5 || store.tried() > 8 {
			t.Errorf("%d attempts to save in a minute", store.tried())
		}
		store.set(nil, nil, nil)
		time.Sleep(saveAgain)
		mustToken(t, source)
		synctest.Wait()
		if got := load(t, store); got.Access != "access-1" || got.Refresh != "refresh-1" || source.Status().Unsaved != nil {
			t.Errorf("the store holds %s; %v", got.Access.Reveal(), source.Status().Unsaved)
		}
		if p.calls() != 1 || len(outcomes) != 0 {
			t.Errorf("%d token calls, outcomes %v", p.calls(), outcomes)
		}
	})
}

func TestUnsavedRenewalIsNotReplacedByTheOlderStoredOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		source, store := unsaved(t, p)
		time.Sleep(2 * time.Hour)
		if got := mustToken(t, source); got != "access-2" || p.last().Get("refresh_token") != "refresh-1" {
			t.Errorf("%s from %s", got.Reveal(), p.last().Get("refresh_token"))
		}
		p.now(down)
		store.set(nil, nil, nil)
		time.Sleep(2 * time.Hour)
		refused(t, source)
		if got := load(t, store); got.Refresh != "refresh-2" {
			t.Error("not saved while the provider is down")
		}
	})
}

// Nor where the wall clock was set back between the two, so that the older one
// looks later.
func TestUnsavedRenewalIsTheNewerOneWhateverTheClockSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), &brokenStore{save: errFull}
		future := stored(1000 * time.Hour)
		testkit.NoError(t, store.MemoryStore.Save("alexa", future))
		source := open(t, p, store)
		mustToken(t, source)
		synctest.Wait()
		store.set(nil, nil, nil)
		time.Sleep(saveAgain)
		mustToken(t, source)
		synctest.Wait()
		if got := load(t, store); got.Access != "access-1" {
			t.Errorf("the store holds %s", got.Access.Reveal())
		}
	})
}

func TestUnsavedRenewalOutlivesAStoreThatCannotBeUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		source, store := unsaved(t, p)
		store.set(unusable("/x", "can be read by others", "chmod"), nil, nil)
		time.Sleep(2 * time.Hour)
		if got := mustToken(t, source); got != "access-2" {
			t.Error(got.Reveal())
		}
		store.set(nil, nil, nil) // mended: the old one is there again
		time.Sleep(saveAgain)
		mustToken(t, source)
		synctest.Wait()
		if got := load(t, store); got.Access != "access-2" {
			t.Errorf("the store holds %s", got.Access.Reveal())
		}
	})
}

func TestUnsavedGrantGivesWayToWhatOthersDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		source, store := unsaved(t, p)
		login := stored(time.Hour)
		login.Access, login.LoggedIn = "new login", wallNow()
		testkit.NoError(t, store.MemoryStore.Save("alexa", login))
		time.Sleep(saveAgain)
		mustToken(t, source)
		synctest.Wait()
		if got := mustToken(t, source); got != "new login" {
			t.Errorf("another process's login: %s", got.Reveal())
		}

		source, store = unsaved(t, newProvider())
		testkit.NoError(t, store.Delete("alexa"))
		store.set(nil, nil, nil)
		time.Sleep(2 * time.Hour)
		if e := refused(t, source); e.Action != ActionLogin {
			t.Error(e)
		}
		if _, err := store.Load("alexa"); !errors.Is(err, ErrNoGrant) {
			t.Error("another process's logout was undone")
		}
	})
}

func TestLoginThatCannotBeSavedServesAndIsSavedLater(t *testing.T) {
	for name, broken := range map[string][3]error{
		"full disk":       {nil, errFull, nil},
		"no lock":         {nil, nil, errFull},
		"unusable stored": {unusable("/x", "is damaged", "mend it"), nil, nil},
	} {
		for _, before := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p, store := newProvider(), &brokenStore{}
					if before {
						testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
					}
					source := open(t, p, store)
					store.set(broken[0], broken[1], broken[2])
					login := stored(time.Hour)
					login.Access, login.LoggedIn = "new login", wallNow()
					if err := source.SetGrant(t.Context(), login); err == nil {
						t.Error("no error")
					}
					if got := mustToken(t, source); got != "new login" || source.Status().Unsaved == nil {
						t.Errorf("%s, %v", got.Reveal(), source.Status().Unsaved)
					}
					store.set(nil, nil, nil)
					time.Sleep(saveAgain)
					mustToken(t, source)
					synctest.Wait()
					if got := load(t, store); got.Access != "new login" || source.Status().Unsaved != nil {
						t.Errorf("saved %s; %v", got.Access.Reveal(), source.Status().Unsaved)
					}
				})
			})
		}
	}
}

func TestRefusalThatCannotBeNotedIsNotAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), &brokenStore{save: errFull}
		p.now(answering(400, jsonType, invalidGrant))
		testkit.NoError(t, store.MemoryStore.Save("alexa", stored(-time.Second)))
		source := open(t, p, store)
		for range 20 {
			if e := refused(t, source); e.Action != ActionLogin {
				t.Error(e)
			}
			time.Sleep(time.Minute)
		}
		store.set(nil, nil, nil)
		refused(t, source)
		if got := load(t, store); p.calls() != 1 || got.Refused != "invalid_grant" {
			t.Errorf("%d token calls, marked %q", p.calls(), got.Refused)
		}
	})
}

func TestLogoutEndsAnUnsavedLoginToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, _ := unsaved(t, newProvider())
		if err := source.Logout(t.Context()); err != nil {
			t.Error(err)
		}
		refused(t, source)

		store := &brokenStore{save: errFull}
		source = open(t, newProvider(), store)
		if err := source.SetGrant(t.Context(), stored(time.Hour)); !errors.Is(err, errFull) {
			t.Fatal(err)
		}
		if err := source.Logout(t.Context()); err != nil {
			t.Error(err)
		}
		if e := refused(t, source); e.Action != ActionLogin {
			t.Error(e)
		}
	})
}
