package tokens

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// watched is a source whose store and provider tell in which order they were used.
func watched(t *testing.T, p *provider, stored Grant) (*Source, *[]string) {
	t.Helper()
	var seen []string
	store := &tellingStore{MemoryStore: holding(t, stored), tell: func(what string) { seen = append(seen, what) }}
	answer := p.answer
	p.answer = func(call int, form url.Values) (*http.Response, error) {
		seen = append(seen, "post "+form["refresh_token"][0])
		return answer(call, form)
	}
	source := open(t, p, store)
	return source, &seen
}

type tellingStore struct {
	*MemoryStore
	tell func(string)
}

func (s *tellingStore) Save(name string, grant Grant) error {
	what := "save " + grant.Refresh.Reveal()
	if !grant.PendingSince.IsZero() {
		what += " marked"
	}
	if grant.Failed.Action != "" {
		what += " failed"
	}
	if grant.Refused != "" {
		what += " " + grant.Refused
	}
	s.tell(what)
	return s.MemoryStore.Save(name, grant)
}

func TestPromise1_MarkThenPostThenSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, seen := watched(t, newProvider(), stored(-time.Second))
		mustToken(t, source)
		if got := strings.Join(*seen, ", "); got != "save refresh-0 marked, post refresh-0, save refresh-1" {
			t.Error(got)
		}
	})
}

func TestOneMarkServesManyAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.answer = down
		source, seen := watched(t, p, stored(-time.Second))
		refused(t, source)
		time.Sleep(time.Hour)
		refused(t, source)
		if got := strings.Join(*seen, ", "); got != "save refresh-0 marked, post refresh-0, save refresh-0 marked failed, post refresh-0, save refresh-0 marked failed" {
			t.Error(got)
		}
	})
}

func TestMarkIsTakenBackWhereNothingCanHaveBeenSpent(t *testing.T) {
	for name, answer := range map[string]func(int, url.Values) (*http.Response, error){
		"never sent": unreachableHost,
		"refused":    answering(401, jsonType, `{"error":"invalid_client"}`),
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newProvider()
			p.answer = answer
			store := holding(t, stored(-time.Second))
			refused(t, open(t, p, store))
			if got := load(t, store); !got.PendingSince.IsZero() {
				t.Errorf("%s: the mark stayed", name)
			}
		})
	}
}

func TestLiveMarkMeansOneTryAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		marked := stored(time.Hour)
		marked.PendingSince = wallNow().Add(-time.Minute)
		p := newProvider()
		source := open(t, p, holding(t, marked))
		if got := mustToken(t, source); got != "access-0" {
			t.Errorf("the live token was not served meanwhile, but %s", got.Reveal())
		}
		synctest.Wait()
		if got := mustToken(t, source); got != "access-1" || p.calls() != 1 {
			t.Errorf("%s after %d calls", got.Reveal(), p.calls())
		}
	})
}

func TestLostAnswerIsNamedWhereTheProviderRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.answer = answering(400, jsonType, `{"error":"invalid_grant"}`)
		marked := stored(-time.Hour)
		marked.PendingSince = wallNow().Add(-time.Minute)
		store := holding(t, marked)
		source := open(t, p, store)
		e := refused(t, source)
		if e.Action != ActionLogin || !strings.Contains(e.Message, "got no usable answer") {
			t.Error(e)
		}
		if got := load(t, store); got.Refused != "invalid_grant" || got.Refresh != "refresh-0" {
			t.Errorf("the dead grant was not kept for diagnosis: %v", got)
		}
		time.Sleep(24 * time.Hour)
		refused(t, source)
		if p.calls() != 1 {
			t.Errorf("%d calls with a dead grant", p.calls())
		}
	})
}

func TestProcessThatEndsSoonDoesNotSpendWhatItCannotKeep(t *testing.T) {
	p := newProvider()
	store := &brokenStore{MemoryStore: MemoryStore{}}
	testkit.NoError(t, store.MemoryStore.Save("alexa", stored(-time.Second)))
	store.set(nil, errors.New("no space left"), nil)
	source := open(t, p, store)
	source.MustSave = true
	if e := refused(t, source); e.Action != ActionConfig || !strings.Contains(e.Hint, "no space left") {
		t.Errorf("got %v", e)
	}
	if p.calls() != 0 {
		t.Errorf("the refresh token was spent %d times", p.calls())
	}
	if mustToken(t, open(t, p, store)); p.calls() != 1 {
		t.Errorf("a process that goes on made %d token calls, want 1", p.calls())
	}
}

func TestDamagedFileFallsBackToThePreviousGeneration(t *testing.T) {
	store, path := saved(t)
	older := load(t, store)
	newer := older
	newer.Access, newer.Refresh = "access-9", "refresh-9"
	testkit.NoError(t, store.Save("alexa", newer))
	text := testkit.Must(os.ReadFile(path))(t)
	for name, damage := range map[string]string{
		"cut": string(text[:300]), "zeros": string(make([]byte, len(text))), "one letter": strings.Replace(string(text), "refresh-9", "refresh-8", 1), "emptied": "",
	} {
		testkit.NoError(t, os.WriteFile(path, []byte(damage), 0o600))
		told := ""
		store.Recovered = func(path string) { told = path }
		got := load(t, store)
		if !got.sameTokens(older) || got.PendingSince.IsZero() || told != path {
			t.Errorf("%s: %v, told %q", name, got, told)
		}
	}
	p := newProvider()
	source := open(t, p, store)
	mustToken(t, source)
	testkit.NoError(t, source.AwaitRenewal(t.Context()))
	if got := load(t, store); p.last().Get("refresh_token") != "refresh-0" || got.Refresh != "refresh-1" || !got.PendingSince.IsZero() {
		t.Errorf("went on with %v", got)
	}
	stat(t, path+".damaged")
}

func TestProcessesShareAFailureAndItsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(answering(429, jsonType, `{"error":"throttling"}`, "Retry-After", "90"))
		store := holding(t, stored(-time.Second))
		first := refused(t, open(t, p, store))
		for range 10 {
			again := refused(t, open(t, p, store))
			if again.Action != ActionWait || again.Message != first.Message || again.RetryAfter > 90*time.Second || again.RetryAfter < 80*time.Second {
				t.Fatalf("%+v", again)
			}
			time.Sleep(time.Second)
		}
		if got := open(t, p, store).Peek(); got.State != StateFailing || got.Failure.Code != "throttling" {
			t.Errorf("a process that only looks sees %+v", got)
		}
		p.now(rotating)
		time.Sleep(80 * time.Second)
		if mustToken(t, open(t, p, store)); p.calls() != 2 || load(t, store).Failed.Action != "" {
			t.Errorf("%d calls", p.calls())
		}
	})
}

func TestARefusedLoginIsToldEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(answering(400, jsonType, `{"error":"invalid_grant"}`))
		store := holding(t, stored(time.Hour))
		for range 3 {
			token, err := open(t, p, store).Fresh(t.Context(), 2*time.Hour)
			if token.Access != "access-0" || !LoginNeeded(err) {
				t.Errorf("%v, %v", token.Expiry, err)
			}
		}
		if p.calls() != 1 {
			t.Errorf("%d calls", p.calls())
		}
	})
}
