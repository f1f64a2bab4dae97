package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoginIsForgottenAfterTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, logins := newProvider(), Logins{}
		login := logins.Begin(&Source{Store: &MemoryStore{}}, p.client())
		time.Sleep(loginLife - 1)
		if over, _ := login.Done(); over {
			t.Error("too early")
		}
		start := time.Now()
		err := login.Wait(t.Context())
		if !LoginNeeded(err) || time.Since(start) != 1 || logins.Find(login.ID) != nil {
			t.Errorf("%v after %v more", err, time.Since(start))
		}
		if _, err := logins.Callback(t.Context(), url.Values{"state": {login.state}, "code": {"ANx"}}); !errors.Is(err, ErrUnknownState) || p.calls() != 0 {
			t.Error(err)
		}
	})
}

func TestOutcomeIsKeptForTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, logins := newProvider(), Logins{}
		login := logins.Begin(&Source{Store: &MemoryStore{}}, p.client())
		query := url.Values{"state": {login.state}, "code": {"ANx"}}
		for range 2 {
			if _, err := logins.Callback(t.Context(), query); err != nil || logins.Find(login.ID) != login {
				t.Error(err)
			}
			time.Sleep(loginLife - 1)
		}
		if _, err := logins.Callback(t.Context(), query); !errors.Is(err, ErrUnknownState) || p.calls() != 1 {
			t.Error(err)
		}
		if over, err := login.Done(); !over || err != nil {
			t.Error("its outcome changed")
		}
	})
}

func TestTooManyLoginsEndTheOldestThatWaits(t *testing.T) {
	p, logins := newProvider(), Logins{}
	source := &Source{Store: &MemoryStore{}}
	var all []*Login
	for range loginMost {
		all = append(all, logins.Begin(source, p.client()))
	}
	_, err := logins.Callback(t.Context(), url.Values{"state": {all[5].state}, "code": {"ANx"}})
	must(t, err)
	all = append(all, logins.Begin(source, p.client()), logins.Begin(source, p.client()))
	for i, login := range all {
		over, err := login.Done()
		if over != (i == 0 || i == 5) || i == 0 && !LoginNeeded(err) {
			t.Errorf("login %d: over %v, %v", i, over, err)
		}
		if gone := logins.Find(login.ID) == nil; gone != over {
			t.Errorf("login %d: gone %v", i, gone)
		}
	}
}

func TestAlexaScopeDataHasTheBytesAmazonWants(t *testing.T) {
	want := `{"alexa:all":{"productID":"my_product","productInstanceAttributes":{"deviceSerialNumber":"42"}}}`
	if got := AlexaScopeData("my_product", "42"); got != want {
		t.Error(got)
	}
	client := &Client{ID: "id", AuthURL: "https://a/ap/oa", RedirectURL: redirectURL, Scopes: []string{"alexa:all"}}
	client.AuthParams = map[string]string{"scope_data": AlexaScopeData("my_product", "42")}
	u, err := url.Parse(client.authURL("s", "v"))
	must(t, err)
	for key, want := range map[string]string{
		"scope_data": want, "client_id": "id", "redirect_uri": redirectURL, "scope": "alexa:all", "response_type": "code", "state": "s",
	} {
		if got := u.Query()[key]; fmt.Sprint(got) != "["+want+"]" {
			t.Errorf("%s is %s", key, got)
		}
	}
}

func TestConfiguredParametersCannotWeakenALogin(t *testing.T) {
	p := newProvider()
	client := p.client()
	client.AuthParams = map[string]string{"state": "fixed", "code_challenge_method": "plain", "code_challenge": "x", "prompt": "consent"}
	client.TokenParams = map[string]string{"code_verifier": "x", "audience": "y"}
	var logins Logins
	login := logins.Begin(&Source{Store: &MemoryStore{}}, client)
	u, err := url.Parse(login.URL)
	must(t, err)
	query := u.Query()
	if query.Get("state") != login.state || query.Get("code_challenge_method") != "S256" || len(query.Get("code_challenge")) != 43 || query.Get("prompt") != "consent" {
		t.Errorf("%v", query)
	}
	_, err = logins.Callback(t.Context(), url.Values{"state": {login.state}, "code": {"ANx"}})
	if form := p.last(); err != nil || form.Get("code_verifier") != login.verifier || form.Get("audience") != "y" || form.Get("redirect_uri") != redirectURL || form.Get("code") != "ANx" {
		t.Errorf("%v, %v", form, err)
	}
}

func TestStatesAndIDsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	var logins Logins
	for range 100 {
		login := logins.Begin(&Source{}, newProvider().client())
		for _, text := range []string{login.ID, login.state, login.verifier} {
			if seen[text] {
				t.Fatal("repeated")
			}
			seen[text] = true
		}
		if strings.Contains(login.state, login.ID) || strings.Contains(login.URL, login.ID) {
			t.Error("the ID tells the state or comes with it")
		}
	}
}

func TestShownEndsTheWaitForThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logins Logins
		login := logins.Begin(&Source{}, newProvider().client())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		login.WaitShown(ctx)
		if ctx.Err() == nil {
			t.Error("did not wait")
		}
		if err := login.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		login.Shown()
		login.Shown()
		login.WaitShown(t.Context())
	})
}

func TestAmazonHasThreeRegions(t *testing.T) {
	for region, token := range map[string]string{
		"na": "https://api.amazon.com/auth/o2/token", "eu": "https://api.amazon.co.uk/auth/o2/token",
		"fe": "https://api.amazon.co.jp/auth/o2/token", "": "https://api.amazon.com/auth/o2/token",
	} {
		if got := Amazon(region); got.TokenURL != token || !strings.HasSuffix(got.AuthURL, "/ap/oa") {
			t.Errorf("%q: %v", region, got)
		}
	}
}
