package sandbox

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFaultExpiresIn(t *testing.T) {
	s := start(t, Options{})
	refresh := loggedIn(t, s).RefreshToken
	for value, want := range map[string]string{
		"string": `"expires_in":"3600"`, "absent": "", "0": `"expires_in":0,`, "negative": `"expires_in":-3600`, "huge": `"expires_in":99999999999`, "2": `"expires_in":2,`,
	} {
		setFaults(t, s.Faults(), "expires-in="+value+"@1")
		got := rawToken(t, s, refreshForm(refresh))
		if got.status != 200 || !strings.Contains(got.body, want) || (want == "") == strings.Contains(got.body, "expires_in") {
			t.Errorf("%s: %+v", value, got)
		}
	}
}

func TestFaultsOfRefreshTokens(t *testing.T) {
	s := start(t, Options{})
	refresh := func(token string) tokenAnswer { return postToken(t, s, refreshForm(token)) }

	first := loggedIn(t, s).RefreshToken
	setFaults(t, s.Faults(), "same-refresh, omit-refresh@2")
	if got := refresh(first); got.RefreshToken != first {
		t.Error("same-refresh gave another")
	}
	if got := refresh(first); got.status != 200 || got.RefreshToken != "" {
		t.Errorf("omit-refresh: %+v", got)
	}

	setFaults(t, s.Faults(), "rotate-refresh")
	second := refresh(first)
	if second.status != 200 || second.RefreshToken == first || second.RefreshToken == "" {
		t.Fatalf("rotate-refresh: %+v", second)
	}
	if got := refresh(first); got.Error != "invalid_grant" {
		t.Errorf("a spent token: %+v", got)
	}
	if got := refresh(second.RefreshToken); got.status != 200 {
		t.Errorf("its successor: %+v", got)
	}
}

func TestReuseDetectionRevokesTheGrant(t *testing.T) {
	s := start(t, Options{Faults: faultSet(t, "reuse-detection")})
	other, first := loggedIn(t, s), loggedIn(t, s)
	second := postToken(t, s, refreshForm(first.RefreshToken))
	if second.status != 200 || second.RefreshToken == first.RefreshToken {
		t.Fatalf("%+v", second)
	}
	if reused := postToken(t, s, refreshForm(first.RefreshToken)); reused.Error != "invalid_grant" {
		t.Errorf("%+v", reused)
	}
	if after := postToken(t, s, refreshForm(second.RefreshToken)); after.Error != "invalid_grant" {
		t.Errorf("the family lives: %+v", after)
	}
	for token, want := range map[string]int{second.AccessToken: 403, other.AccessToken: 204} {
		if got := send(t, client(t, s), ask(t, s, token, "GET", "/ping", nil)); got.StatusCode != want {
			t.Errorf("%s, want %d", got.Status, want)
		}
	}
	if got := postToken(t, s, refreshForm(other.RefreshToken)); got.status != 200 {
		t.Errorf("another grant: %+v", got)
	}
}

// Of many callers that rotate one refresh token at once, one succeeds.
func TestConcurrentRotationSucceedsOnce(t *testing.T) {
	s := start(t, Options{Faults: faultSet(t, "rotate-refresh")})
	form := refreshForm(loggedIn(t, s).RefreshToken)
	statuses := make(chan int)
	for range 20 {
		go func() { statuses <- rawToken(t, s, form).status }()
	}
	winners := 0
	for range 20 {
		if <-statuses == 200 {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d winners", winners)
	}
}

func TestOldestRotatedTokensAreForgotten(t *testing.T) {
	g := newGrants(nil)
	first := g.add(grant{})
	token := first
	for range maxRotated + 10 {
		token = g.rotate(token)
	}
	if g.refresh[first] != nil || len(g.refresh) != maxRotated+1 || len(g.rotated) != maxRotated {
		t.Errorf("%d tokens, %d rotated", len(g.refresh), len(g.rotated))
	}
}

func TestExpireToken(t *testing.T) {
	s := start(t, Options{})
	ping := func(token string) int {
		return send(t, client(t, s), ask(t, s, token, "GET", "/ping", nil)).StatusCode
	}
	first := loggedIn(t, s)
	setFaults(t, s.Faults(), "expire-token@2")
	if ping(first.AccessToken) != 204 || ping(first.AccessToken) != 403 {
		t.Error("not at the second request")
	}
	healed := postToken(t, s, refreshForm(first.RefreshToken))
	if ping(healed.AccessToken) != 204 || ping(first.AccessToken) != 403 {
		t.Error("a refresh does not heal")
	}
}

func TestExpireTokenAfterAWhileSparesLaterTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, Options{Faults: faultSet(t, "expire-token@10s")})
		valid := func(token string) bool {
			answer, err := c.Get(pipeURL + "/auth/o2/tokeninfo?access_token=" + url.QueryEscape(token))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			return answer.StatusCode == 200
		}
		first := postTo(t, c, pipeURL+"/auth/o2/token", exchangeForm(codeFrom(t, c)))
		if !valid(first.AccessToken) {
			t.Error("too early")
		}
		time.Sleep(10 * time.Second)
		second := postTo(t, c, pipeURL+"/auth/o2/token", refreshForm(first.RefreshToken))
		if !valid(second.AccessToken) || valid(first.AccessToken) {
			t.Error("not the older one alone")
		}
	})
}

func TestExpireTokenWithADuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, Options{TimeScale: 60, Faults: faultSet(t, "expire-token=2s@2, expires-in=3600@3, expire-token=3s@3")})
		code := codeFrom(t, c)
		for i, want := range []int{60, 2, 3600} {
			form := exchangeForm(code)
			if i > 0 {
				form = refreshForm(code)
			}
			answer := postTo(t, c, pipeURL+"/auth/o2/token", form)
			if answer.ExpiresIn != want {
				t.Errorf("expires in %d, want %d", answer.ExpiresIn, want)
			}
			code = answer.RefreshToken
		}
	})
}
