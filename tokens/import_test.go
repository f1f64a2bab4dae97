package tokens

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// importer is what 'avsproxy login NAME < FILE' makes, a process each.
func importer(p *provider, store Store) (*Source, *Client) {
	client := p.client()
	return &Source{Name: "alexa", Kind: importedKind, Store: store, Renew: client.Refresh, Matches: client.Matches, MustSave: true}, client
}

func TestPromise1_AnImportThatIsRunAgainAsksNobody(t *testing.T) {
	p, store := newProvider(), FileStore{Dir: t.TempDir()}
	reuse(p)
	source, client := importer(p, store)
	testkit.NoError(t, source.Import(t.Context(), client.Imported("mine")))
	for range 3 { // at each boot
		again, client := importer(p, store)
		if err := again.Import(t.Context(), client.Imported("mine")); !errors.Is(err, ErrImported) {
			t.Error(err)
		}
	}
	serving := open(t, p, store)
	serving.Reject(Token{Access: "access-1"})
	mustToken(t, serving) // now refresh-2 is the present one, and the stored login knows what it grew from
	for _, text := range []Secret{"mine", "refresh-2"} {
		again, client := importer(p, store)
		if err := again.Import(t.Context(), client.Imported(text)); !errors.Is(err, ErrImported) || p.calls() != 2 {
			t.Errorf("%v after %d calls", err, p.calls())
		}
	}
	if got := load(t, store); got.Refresh != "refresh-2" || got.Refused != "" {
		t.Errorf("%+v", got)
	}
	another, client := importer(p, store)
	testkit.NoError(t, another.Import(t.Context(), client.Imported("other")))
	if p.last().Get("refresh_token") != "other" || load(t, store).Refresh != "refresh-3" {
		t.Error("another refresh token was not taken")
	}
}

func TestPromise1_ImportsAtOnceSpendTheTokenOnce(t *testing.T) {
	for range 5 {
		p, store := newProvider(), FileStore{Dir: t.TempDir()}
		p.delay = 20 * time.Millisecond
		reuse(p)
		results := make([]error, 8)
		var running sync.WaitGroup
		for i := range results {
			running.Go(func() {
				source, client := importer(p, store)
				results[i] = source.Import(t.Context(), client.Imported("mine"))
			})
		}
		running.Wait()
		won := 0
		for _, err := range results {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, ErrImported):
				t.Error(err)
			}
		}
		if won != 1 || p.calls() != 1 || load(t, store).Refresh != "refresh-1" {
			t.Errorf("%d won, %d calls", won, p.calls())
		}
	}
}

func TestADeadImportIsNotSentAgain(t *testing.T) {
	p, store := newProvider(), FileStore{Dir: t.TempDir()}
	source, client := importer(p, store)
	testkit.NoError(t, source.Import(t.Context(), client.Imported("mine")))
	dead := load(t, store)
	dead.Refused = "invalid_grant"
	testkit.NoError(t, store.Save("alexa", dead))
	again, client := importer(p, store)
	if err := again.Import(t.Context(), client.Imported("mine")); !LoginNeeded(err) || p.calls() != 1 {
		t.Errorf("%v, %d calls", err, p.calls())
	}
	testkit.NoError(t, again.Import(t.Context(), client.Imported("new")))
}

// An earlier version kept no fingerprint: what it imported may be the same.
func TestAnImportOfAnEarlierVersionIsKept(t *testing.T) {
	p, old := newProvider(), stored(time.Hour)
	old.Kind = importedKind
	store := holding(t, old)
	source, client := importer(p, store)
	err := source.Import(t.Context(), client.Imported("mine"))
	if !errors.Is(err, ErrImported) || !strings.Contains(err.Error(), "log out first") || p.calls() != 0 || !load(t, store).sameTokens(old) {
		t.Errorf("%v, %d calls", err, p.calls())
	}
}

func TestAnImportIsSavedAlsoWhereItsAccessTokenIsOfNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), &MemoryStore{}
		p.now(answering(200, jsonType, `{"access_token":"a","token_type":"DPoP","refresh_token":"refresh-1"}`))
		p.delay = time.Minute // no bound of a caller ends it
		source, client := importer(p, store)
		err := source.Import(t.Context(), client.Imported("mine"))
		if asError(err).Action != ActionConfig || load(t, store).Refresh != "refresh-1" {
			t.Error(err)
		}
		if _, err := store.Load("alexa.importing"); !errors.Is(err, ErrNoGrant) {
			t.Error("left beside:", fmt.Sprint(err))
		}
	})
}

// Nothing was sent, so nothing may take the place of the stored login.
func TestPromise1_AnImportWithoutTheClientsSecretChangesNothing(t *testing.T) {
	p, store := newProvider(), holding(t, stored(time.Hour))
	source, client := importer(p, store)
	client.Secret = func() (Secret, error) { return "", errors.New("the file is away") }
	for range 2 {
		err := source.Import(t.Context(), client.Imported("mine"))
		if err == nil || asError(err).Action != ActionConfig || p.calls() != 0 {
			t.Errorf("%v after %d calls", err, p.calls())
		}
		if got := load(t, store); got.Refresh != stored(0).Refresh {
			t.Errorf("%+v", got)
		}
	}
	client.Secret = nil
	testkit.NoError(t, source.Import(t.Context(), client.Imported("mine")))
}
