package tokens

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFreshRenewsForAsMuchLifeAsIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		source := open(t, p, holding(t, stored(30*time.Minute)))
		for _, step := range []struct {
			ttl  time.Duration
			want Secret
		}{{0, "access-0"}, {29 * time.Minute, "access-0"}, {31 * time.Minute, "access-1"}, {time.Hour, "access-1"}, {61 * time.Minute, "access-2"}} {
			token, err := source.Fresh(t.Context(), step.ttl)
			if err != nil || token.Access != step.want {
				t.Errorf("%v: %s, %v", step.ttl, token.Access.Reveal(), err)
			}
		}
	})
}

func TestFreshReturnsWhatItHasBesideTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(down)
		source := open(t, p, holding(t, stored(30*time.Minute)))
		for range 2 { // the second one shares the failure
			token, err := source.Fresh(t.Context(), 31*time.Minute)
			var e *Error
			if !errors.As(err, &e) || e.Action != ActionRetry || token.Access != "access-0" {
				t.Errorf("%s, %v", token.Access.Reveal(), err)
			}
		}
		if p.calls() != 1 {
			t.Errorf("%d calls", p.calls())
		}
		if got := mustToken(t, source); got != "access-0" {
			t.Error("the live token is no longer served")
		}
	})
}

// Some providers answer with the token that is still live.
func TestTheSameAccessTokenAgainIsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(answering(200, jsonType, `{"access_token":"access-0","expires_in":1800}`))
		source := open(t, p, holding(t, stored(30*time.Minute)))
		token, err := source.Fresh(t.Context(), 2*time.Hour)
		if err != nil || token.Access != "access-0" {
			t.Errorf("Fresh: %q, %v", token.Access.Reveal(), err)
		}
		source.Reject(token)
		if got := mustToken(t, source); got != "access-0" {
			t.Error("after Reject: no token")
		}
		if p.calls() != 2 {
			t.Errorf("%d calls", p.calls())
		}
	})
}

func TestATokenThatEndsBeforeItIsSavedIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(answering(200, jsonType, `{"access_token":"short","expires_in":1}`))
		store := &slowStore{Store: holding(t, stored(-time.Second)), save: 2 * time.Second}
		source := open(t, p, store)
		if e := refused(t, source); e.Action != ActionRetry {
			t.Error(e)
		}
	})
}

type slowStore struct {
	Store
	save time.Duration
}

func (s *slowStore) Save(name string, grant Grant) error {
	time.Sleep(s.save)
	return s.Store.Save(name, grant)
}
