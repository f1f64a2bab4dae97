package tokens

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

// A countingStore counts how often it is asked.
type countingStore struct {
	Store
	asked atomic.Int32
}

func (c *countingStore) Load(name string) (Grant, error) {
	c.asked.Add(1)
	return c.Store.Load(name)
}

func (c *countingStore) Save(name string, grant Grant) error {
	c.asked.Add(1)
	return c.Store.Save(name, grant)
}

func (c *countingStore) Lock(ctx context.Context, name string) (func(), error) {
	c.asked.Add(1)
	return c.Store.Lock(ctx, name)
}

func TestFreshTokenNeedsNeitherStoreNorProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), &countingStore{Store: holding(t, stored(time.Hour))}
		source := open(t, p, store)
		opened := store.asked.Load()
		for range 1000 {
			if got := mustToken(t, source); got != "access-0" {
				t.Fatal(got.Reveal())
			}
		}
		synctest.Wait()
		if p.calls() != 0 || store.asked.Load() != opened {
			t.Errorf("%d token calls, %d more uses of the store", p.calls(), store.asked.Load()-opened)
		}
	})
}

func TestDueTokenIsServedWhileOneRenewalRunsBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(4*time.Minute))
		p.delay = 2 * time.Second
		source := open(t, p, store)
		before := time.Now()
		for range 100 {
			if got := mustToken(t, source); got != "access-0" {
				t.Fatal(got.Reveal())
			}
		}
		if !source.Status().Renewing {
			t.Error("no renewal runs")
		}
		if !time.Now().Equal(before) {
			t.Error("somebody waited")
		}
		time.Sleep(3 * time.Second)
		if got := mustToken(t, source); got != "access-1" || p.calls() != 1 {
			t.Errorf("%s after %d calls", got.Reveal(), p.calls())
		}
	})
}

func TestMarginIsATenthOfTheLifeAtMostFiveMinutes(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for life, margin := range map[time.Duration]time.Duration{
		time.Second: 100 * time.Millisecond, time.Minute: 6 * time.Second,
		50 * time.Minute: 5 * time.Minute, time.Hour: 5 * time.Minute, 24 * time.Hour: 5 * time.Minute,
	} {
		grant := Grant{Access: "x", Renewed: now, Expiry: now.Add(life)}
		dueAt := grant.Expiry.Add(-margin)
		if grant.due(dueAt.Add(-1)) || !grant.due(dueAt) {
			t.Errorf("life %v: not due exactly %v before its end", life, margin)
		}
	}
	if endless := (&Grant{Access: "x"}); endless.due(now) || !endless.live(now) {
		t.Error("a token without an end is due or dead")
	}
}

func TestTwoHundredCallersAtExpiryMakeOneTokenCall(t *testing.T) {
	amazon, client := startAmazon(t, sandbox.Options{TokenDelay: 50 * time.Millisecond})
	source := &Source{Name: "alexa", Store: FileStore{Dir: t.TempDir()}, Renew: client.Refresh, Matches: client.Matches}
	var logins Logins
	login := begin(t, &logins, source, client)
	testkit.Must(logins.Callback(t.Context(), calledBack(consent(t, login))))(t)
	old := mustToken(t, source)
	source.mu.Lock()
	source.grant.Expiry = wallNow()
	expired := source.grant
	source.mu.Unlock()
	testkit.NoError(t, source.Store.Save("alexa", expired))
	got := make([]Token, 200)
	errs := make([]error, len(got))
	var callers sync.WaitGroup
	for i := range got {
		callers.Go(func() { got[i], errs[i] = source.Token(t.Context()) })
	}
	callers.Wait()
	for i, token := range got {
		if errs[i] != nil || token != got[0] || token.Access == old || token.Access.IsZero() {
			t.Fatalf("caller %d: %v", i, errs[i])
		}
	}
	if calls := amazon.TokenCalls(); len(calls) != 2 || calls[1].Grant != "refresh_token" {
		t.Errorf("calls %+v", calls)
	}
}

func TestNobodyFailsBecauseAnotherCallerLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.delay = time.Second
		source := open(t, p, holding(t, stored(-time.Second)))
		var callers sync.WaitGroup
		for range 1000 {
			patience := rand.N(2*time.Second) + 1
			callers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				token, err := source.Token(ctx)
				switch {
				case patience > time.Second && (err != nil || token.Access != "access-1"):
					t.Errorf("who stayed for %v got %v", patience, err)
				case patience < time.Second && !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("who left after %v got %v", patience, err)
				}
			})
		}
		callers.Wait()
		if p.calls() != 1 {
			t.Errorf("%d token calls", p.calls())
		}
	})
}

func TestRenewalSurvivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(-time.Second))
		p.delay = 20 * time.Second
		source := open(t, p, store)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := source.Token(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if got := load(t, store); got.Access != "access-1" || got.Refresh != "refresh-1" {
			t.Error("the renewal was not saved")
		}
	})
}

func TestRenewalEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.delay = time.Hour
		source := open(t, p, holding(t, stored(-time.Second)))
		start := time.Now()
		if e := refused(t, source); e.Action != ActionRetry || time.Since(start) > 31*time.Second {
			t.Errorf("%v after %v", e, time.Since(start))
		}
		if got := source.Status(); !got.Renewing || got.State != StateFailing {
			t.Errorf("the answer is not waited for any more: %+v", got)
		}
		time.Sleep(responseTimeout)
		if got := source.Status(); got.Renewing || got.State != StateFailing {
			t.Errorf("%+v", got)
		}
	})
}

// A provider that takes 33 s, or minutes, gets its time; the callers do not wait so long.
func TestPromise1_ALateAnswerIsReadAndKept(t *testing.T) {
	for _, delay := range []time.Duration{33 * time.Second, responseTimeout - time.Second} {
		synctest.Test(t, func(t *testing.T) {
			p, store := newProvider(), holding(t, stored(-time.Second))
			reuse(p)
			p.delay = delay
			source := open(t, p, store)
			began := time.Now()
			if e := refused(t, source); e.Action != ActionRetry || e.RetryAfter == 0 || time.Since(began) > 31*time.Second {
				t.Errorf("%v after %v", e, time.Since(began))
			}
			if e := refused(t, source); time.Since(began) > 31*time.Second {
				t.Errorf("the next caller waited as well: %v", e)
			}
			time.Sleep(delay)
			if got := mustToken(t, source); got != "access-1" || p.calls() != 1 || load(t, store).Refresh != "refresh-1" {
				t.Errorf("%s after %d calls", got.Reveal(), p.calls())
			}
		})
	}
}

func TestSecondProcessAdoptsWhatTheFirstGot(t *testing.T) {
	p, folder := newProvider(), t.TempDir()
	p.delay = 50 * time.Millisecond
	testkit.NoError(t, (FileStore{Dir: folder}).Save("alexa", stored(-time.Second)))
	outcomes := make(chan Outcome, 8)
	var processes sync.WaitGroup
	for range 8 {
		source := open(t, p, FileStore{Dir: folder})
		source.Outcome = func(outcome Outcome) { outcomes <- outcome }
		processes.Go(func() {
			if token, err := source.Token(t.Context()); err != nil || token.Access != "access-1" {
				t.Errorf("%v", err)
			}
		})
	}
	processes.Wait()
	count := map[Outcome]int{}
	for range 8 {
		count[<-outcomes]++
	}
	if p.calls() != 1 || count["renewed"] != 1 || count["adopted"] != 7 {
		t.Errorf("%d token calls, outcomes %v", p.calls(), count)
	}
}

func TestTheLockIsWaitedForWithoutShorteningTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(-time.Second))
		p.delay = 25 * time.Second
		source := open(t, p, store)
		unlock := testkit.Must(store.Lock(t.Context(), "alexa"))(t)
		time.AfterFunc(20*time.Second, unlock)
		if got := mustToken(t, source); got != "access-1" {
			t.Error(got.Reveal())
		}
	})
}

func TestALockThatIsNeverFreedEndsInAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(-time.Second))
		source := open(t, p, store)
		unlock, _ := store.Lock(t.Context(), "alexa")
		if e := refused(t, source); e.Action != ActionRetry || p.calls() != 0 {
			t.Errorf("%v, %d calls", e, p.calls())
		}
		unlock()
		time.Sleep(2 * time.Second)
		mustToken(t, source)
	})
}
