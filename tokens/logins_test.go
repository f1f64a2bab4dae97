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

	"avsproxy/internal/testkit"
)

func TestLoginIsForgottenAfterTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, logins := newProvider(), Logins{}
		login := begin(t, &logins, &Source{Store: &MemoryStore{}}, p.client())
		time.Sleep(loginLife - 1)
		if over, _ := login.Done(); over {
			t.Error("too early")
		}
		start := time.Now()
		err := login.Wait(t.Context())
		if e := asError(err); !strings.Contains(e.Hint, redirectURL) || !strings.Contains(e.Hint, "client_id") || !strings.Contains(e.Hint, "security profile") {
			t.Errorf("the hint names no cause: %s", e.Hint)
		}
		if !LoginNeeded(err) || time.Since(start) != 1 || logins.Find(login.ID) != nil {
			t.Errorf("%v after %v more", err, time.Since(start))
		}
		if _, err := logins.Callback(t.Context(), calledBack(url.Values{"state": {login.state}, "code": {"ANx"}})); !errors.Is(err, ErrUnknownState) || p.calls() != 0 {
			t.Error(err)
		}
	})
}

func TestOutcomeIsKeptForTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, logins := newProvider(), Logins{}
		login := begin(t, &logins, &Source{Store: &MemoryStore{}}, p.client())
		query := url.Values{"state": {login.state}, "code": {"ANx"}}
		for range 2 {
			if _, err := logins.Callback(t.Context(), calledBack(query)); err != nil || logins.Find(login.ID) != login {
				t.Error(err)
			}
			time.Sleep(loginLife - 1)
		}
		if _, err := logins.Callback(t.Context(), calledBack(query)); !errors.Is(err, ErrUnknownState) || p.calls() != 1 {
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
	for i := range loginMost {
		all = append(all, begin(t, &logins, &Source{Name: fmt.Sprint(i), Store: &MemoryStore{}}, p.client()))
	}
	testkit.Must(logins.Callback(t.Context(), calledBack(url.Values{"state": {all[5].state}, "code": {"ANx"}})))(t)
	all = append(all, begin(t, &logins, source, p.client()), begin(t, &logins, &Source{Name: "last"}, p.client()))
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
	client.TokenURL = "https://a/token"
	text := testkit.Must(client.authURL(t.Context(), "s", "v"))(t)
	u := testkit.Must(url.Parse(text))(t)
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
	login := begin(t, &logins, &Source{Store: &MemoryStore{}}, client)
	u := testkit.Must(url.Parse(login.URL))(t)
	query := u.Query()
	if query.Get("state") != login.state || query.Get("code_challenge_method") != "S256" || len(query.Get("code_challenge")) != 43 || query.Get("prompt") != "consent" {
		t.Errorf("%v", query)
	}
	_, err := logins.Callback(t.Context(), calledBack(url.Values{"state": {login.state}, "code": {"ANx"}}))
	if form := p.last(); err != nil || form.Get("code_verifier") != login.verifier || form.Get("audience") != "y" || form.Get("redirect_uri") != redirectURL || form.Get("code") != "ANx" {
		t.Errorf("%v, %v", form, err)
	}
}

func TestStatesAndIDsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	var logins Logins
	for i := range 100 {
		login := begin(t, &logins, &Source{Name: fmt.Sprint(i)}, newProvider().client())
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

func TestAwaitSeenReturnsWhenThePageWasShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logins Logins
		login := begin(t, &logins, &Source{}, newProvider().client())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		login.AwaitSeen(ctx)
		if ctx.Err() == nil {
			t.Error("did not wait")
		}
		if err := login.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		login.MarkSeen()
		login.MarkSeen()
		login.AwaitSeen(t.Context())
	})
}

func TestLoginsOfOneKindAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, logins := planned(saying(400, "authorization_pending")), Logins{}
		source := &Source{Name: "alexa", Store: &MemoryStore{}}
		first := begin(t, &logins, source, p.client())
		device := testkit.Must(logins.BeginDevice(t.Context(), source, p.client()))(t)
		time.Sleep(loginLife/2 - 1)
		again, err := logins.BeginDevice(t.Context(), source, p.client())
		if err != nil || again != device || begin(t, &logins, source, p.client()) != first {
			t.Error("not joined", err)
		}
		other, elsewhere := p.client(), p.client()
		other.ID, elsewhere.RedirectURL = "other", redirectURL+"2"
		seen := map[*Login]bool{first: true, device: true}
		for _, login := range []*Login{
			begin(t, &logins, source, other), begin(t, &logins, source, elsewhere), begin(t, &logins, &Source{Name: "other"}, p.client()),
		} {
			if seen[login] {
				t.Error("joined what is another login")
			}
			seen[login] = true
		}
		time.Sleep(time.Second)
		if late := begin(t, &logins, source, p.client()); seen[late] {
			t.Error("joined a login that ends soon")
		}
		if over, _ := first.Done(); over {
			t.Error("the older one does not wait on")
		}
		device.Cancel()
		if again, err = logins.BeginDevice(t.Context(), source, p.client()); err != nil || again == device {
			t.Error("joined a login that is over", err)
		}
		again.Cancel()
	})
}

func TestFinishedLoginIsNotJoined(t *testing.T) {
	p, logins := newProvider(), Logins{}
	source := &Source{Name: "alexa", Store: &MemoryStore{}}
	first := begin(t, &logins, source, p.client())
	_, err := logins.Callback(t.Context(), calledBack(url.Values{"state": {first.state}, "error": {"access_denied"}}))
	if err == nil || begin(t, &logins, source, p.client()) == first {
		t.Error(err)
	}
}

// Two that ask for codes at the same moment poll for one pair only.
func TestDeviceLoginsThatRaceShareOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, logins := planned(saying(400, "authorization_pending")), Logins{}
		p.delay = time.Second
		source := &Source{Name: "alexa", Store: &MemoryStore{}}
		begun := make(chan *Login, 4)
		for range cap(begun) {
			go func() {
				login, err := logins.BeginDevice(t.Context(), source, p.client())
				if err != nil {
					t.Error(err)
				}
				begun <- login
			}()
		}
		first := <-begun
		for range cap(begun) - 1 {
			if <-begun != first {
				t.Error("another login")
			}
		}
		time.Sleep(time.Minute)
		first.Cancel()
		if len(p.polls()) > 9 {
			t.Errorf("%d polls in a minute", len(p.polls()))
		}
	})
}

func TestLoginNeedsItsEndpoints(t *testing.T) {
	for name, strip := range map[string]func(*Client){
		"auth_url": func(c *Client) { c.AuthURL = "" }, "token_url": func(c *Client) { c.TokenURL = "" },
	} {
		client := newProvider().client()
		strip(client)
		var logins Logins
		if _, err := logins.Begin(t.Context(), &Source{}, client); err == nil || asError(err).Action != ActionConfig || !strings.Contains(asError(err).Hint, name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCancelEndsABrowserLogin(t *testing.T) {
	p, logins := newProvider(), Logins{}
	login := begin(t, &logins, &Source{Name: "alexa", Store: &MemoryStore{}}, p.client())
	login.Cancel()
	_, err := logins.Callback(t.Context(), calledBack(url.Values{"state": {login.state}, "code": {"ANx"}}))
	if err == nil || !strings.Contains(err.Error(), "cancelled here") || p.calls() != 0 {
		t.Error(err)
	}
}
