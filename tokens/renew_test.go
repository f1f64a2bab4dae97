package tokens

import (
	"context"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

func TestRefreshTokenIsRotatedRepeatedOrLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(-time.Second))
		source := open(t, p, store)
		for i, step := range []struct{ answer, sends, keeps string }{
			{`"refresh_token":"rotated",`, "refresh-0", "rotated"},
			{`"refresh_token":"rotated",`, "rotated", "rotated"},
			{``, "rotated", "rotated"},
			{`"refresh_token":"",`, "rotated", "rotated"},
			{`"refresh_token":null,`, "rotated", "rotated"},
			{`"refresh_token":"again",`, "rotated", "again"},
		} {
			p.now(answering(200, jsonType, fmt.Sprintf(`{%s"access_token":"a%d","expires_in":3600}`, step.answer, i)))
			mustToken(t, source)
			if sent := p.last().Get("refresh_token"); sent != step.sends {
				t.Errorf("step %d sent %s, want %s", i, sent, step.sends)
			}
			if kept := load(t, store); kept.Refresh != Secret(step.keeps) || kept.LoggedIn != stored(-time.Second).LoggedIn.Add(-time.Duration(i)*2*time.Hour) {
				t.Errorf("step %d keeps %s, logged in %v", i, kept.Refresh.Reveal(), kept.LoggedIn)
			}
			time.Sleep(2 * time.Hour)
		}
	})
}

func TestLifeOfATokenIsReadWithCare(t *testing.T) {
	for expiresIn, want := range map[string]time.Duration{
		``:                          time.Hour,
		`,"expires_in":null`:        time.Hour,
		`,"expires_in":0`:           time.Hour,
		`,"expires_in":-5`:          time.Hour,
		`,"expires_in":1`:           time.Second,
		`,"expires_in":3600`:        time.Hour,
		`,"expires_in":"7200"`:      2 * time.Hour,
		`,"expires_in":31536000`:    365 * 24 * time.Hour,
		`,"expires_in":99999999999`: 365 * 24 * time.Hour,
		fmt.Sprintf(`,"expires_in":%d`, int64(math.MaxInt64)): 365 * 24 * time.Hour,
	} {
		synctest.Test(t, func(t *testing.T) {
			checkLife(t, jsonType, `{"access_token":"a"`+expiresIn+`}`, want)
		})
	}
	for form, want := range map[string]time.Duration{
		"access_token=a":                      time.Hour,
		"access_token=a&expires_in=60":        time.Minute,
		"access_token=a&expires_in=-60":       time.Hour,
		"access_token=a&expires_in=soon":      time.Hour,
		"access_token=a&expires_in=999999999": 365 * 24 * time.Hour,
	} {
		synctest.Test(t, func(t *testing.T) {
			checkLife(t, "application/x-www-form-urlencoded", form, want)
		})
	}
}

func checkLife(t *testing.T, contentType, body string, want time.Duration) {
	t.Helper()
	p := newProvider()
	p.now(answering(200, contentType, body))
	grant, err := p.client().Refresh(t.Context(), stored(0))
	if err != nil || grant.Expiry.Sub(grant.Renewed) != want || !grant.Renewed.Equal(wallNow()) {
		t.Errorf("%s: lives %v, want %v; %v", body, grant.Expiry.Sub(grant.Renewed), want, err)
	}
}

func TestScopesAreThoseGrantedElseThoseAskedFor(t *testing.T) {
	p := newProvider()
	for body, want := range map[string]string{
		`{"access_token":"a"}`:                     "[alexa:all]",
		`{"access_token":"a","scope":""}`:          "[alexa:all]",
		`{"access_token":"a","scope":"profile x"}`: "[profile x]",
		`{"access_token":"a","scope":["a","b"]}`:   "[a b]", // Twitch
		`{"access_token":"a","scope":{"a":"b"}}`:   "[alexa:all]",
	} {
		p.now(answering(200, jsonType, body))
		grant, err := p.client().Refresh(t.Context(), Grant{Refresh: "r"})
		if err != nil || fmt.Sprint(grant.Scopes) != want {
			t.Errorf("%s: %v, %v", body, grant.Scopes, err)
		}
	}
}

func TestRefreshSendsWhatTheGrantNeedsAndNoMore(t *testing.T) {
	p := newProvider()
	client := p.client()
	testkit.Must(client.Refresh(t.Context(), stored(0)))(t)
	want := "map[client_id:[client] client_secret:[" + canary + "] grant_type:[refresh_token] refresh_token:[refresh-0]]"
	if got := fmt.Sprint(p.last()); got != want {
		t.Errorf("sent %s", got)
	}
	client.Secret = nil
	if _, err := client.Refresh(t.Context(), stored(0)); err != nil || p.last().Has("client_secret") {
		t.Errorf("without a secret: %v, %v", p.last(), err)
	}
}

func TestTokensSurviveJumpsOfTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			left  time.Duration // of the token's life, after the jump
			first Secret
		}{
			"forward, past the end":     {-10 * time.Hour, "access-1"},
			"forward, into the margin":  {time.Minute, "access-0"},
			"back, to before the token": {61 * time.Minute, "access-0"},
			"back, by years":            {20 * 365 * 24 * time.Hour, "access-0"},
		} {
			p := newProvider()
			source := open(t, p, holding(t, stored(c.left)))
			if got := mustToken(t, source); got != c.first {
				t.Errorf("%s: first %s", name, got.Reveal())
			}
			synctest.Wait()
			if got := mustToken(t, source); got != "access-1" || p.calls() != 1 {
				t.Errorf("%s: then %s after %d calls", name, got.Reveal(), p.calls())
			}
			if got := source.Status().Expiry; !got.Equal(wallNow().Add(time.Hour)) {
				t.Errorf("%s: ends at %v", name, got)
			}
		}
	})
}

func TestUntilTakesTheEarlierOfTwoClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(time.Minute)
		if got := until(at); got != time.Minute {
			t.Error(got)
		}
		time.Sleep(2 * time.Minute)
		if until(at) > 0 || until(time.Time{}) > 0 {
			t.Error("the past is to come")
		}
	})
}

func TestAwaitRenewalWaitsForTheRenewalUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		store := &MemoryStore{}
		source := &Source{Name: "alexa", Store: store, Renew: func(context.Context, Grant) (Grant, error) {
			<-release
			return Grant{Access: "new", Refresh: "rotated", Renewed: wallNow(), Expiry: wallNow().Add(time.Hour)}, nil
		}}
		if err := source.AwaitRenewal(t.Context()); err != nil {
			t.Errorf("with nothing under way: %v", err)
		}
		store.Save("alexa", Grant{Access: "old", Refresh: "spent", Renewed: wallNow().Add(-time.Hour), Expiry: wallNow()})
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		source.Token(impatient)
		if err := source.AwaitRenewal(impatient); err == nil {
			t.Error("AwaitRenewal did not wait")
		}
		time.AfterFunc(time.Second, func() { close(release) })
		if err := source.AwaitRenewal(t.Context()); err != nil {
			t.Error(err)
		}
		if saved, _ := store.Load("alexa"); saved.Refresh != "rotated" {
			t.Error("the rotated refresh token was not saved when AwaitRenewal returned")
		}
	})
}
