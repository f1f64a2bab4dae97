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

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

func loginSource(t *testing.T, client *Client) *Source {
	t.Helper()
	source := &Source{Name: "alexa", Store: FileStore{Dir: t.TempDir()}, Renew: client.Refresh, Matches: client.Matches}
	testkit.NoError(t, source.Load())
	return source
}

func TestLoginWithPKCEGivesALastingGrant(t *testing.T) {
	amazon, client := startAmazon(t, sandbox.Options{})
	source := loginSource(t, client)
	var logins Logins
	login := begin(t, &logins, source, client)
	asked := testkit.Must(url.Parse(login.URL))(t)
	query := asked.Query()
	if query.Get("code_challenge_method") != "S256" || len(query.Get("code_challenge")) != 43 || len(query.Get("state")) < 43 {
		t.Errorf("asked with %v", query)
	}
	if over, _ := login.Done(); over || login.HasRefreshToken() || logins.Find(login.ID) != login {
		t.Error("over before it began")
	}
	got, err := logins.Callback(t.Context(), calledBack(consent(t, login)))
	if err != nil || got != login || !login.HasRefreshToken() {
		t.Fatal(err)
	}
	if over, err := login.Done(); !over || err != nil {
		t.Error(err)
	}
	grant := load(t, source.Store)
	if mustToken(t, source) != grant.Access || grant.Kind != "authorization_code" || !client.Matches(grant) || grant.LoggedIn.IsZero() {
		t.Errorf("%+v", grant)
	}
	if calls := amazon.TokenCalls(); len(calls) != 1 || calls[0].Status != 200 {
		t.Errorf("%+v", calls)
	}
}

func TestLoginWithoutASecretRestsOnPKCE(t *testing.T) {
	amazon, client := startAmazon(t, sandbox.Options{})
	for _, secret := range []func() (Secret, error){nil, func() (Secret, error) { return "", nil }} {
		client.Secret = secret
		source := loginSource(t, client)
		var logins Logins
		login := begin(t, &logins, source, client)
		if _, err := logins.Callback(t.Context(), calledBack(consent(t, login))); err != nil || !login.HasRefreshToken() {
			t.Fatal(err)
		}
		if _, err := source.Fresh(t.Context(), 2*time.Hour); err != nil {
			t.Error(err)
		}
	}
	if calls := amazon.TokenCalls(); len(calls) != 4 || calls[3].Grant != "refresh_token" || calls[3].Status != 200 {
		t.Errorf("%+v", calls)
	}
}

func TestStrangersCallbacksAreIgnored(t *testing.T) {
	amazon, client := startAmazon(t, sandbox.Options{})
	source := loginSource(t, client)
	var logins Logins
	var waiting []*Login
	for i := range loginMost {
		waiting = append(waiting, begin(t, &logins, &Source{Name: fmt.Sprint(i), Store: source.Store}, client))
	}
	for _, query := range []string{
		"", "code=ANx", "state=", "state=&code=ANx", "state=x&code=ANx", "state=x&error=access_denied",
		"error=access_denied", "state=" + waiting[0].ID, "State=" + waiting[0].state, "state=" + waiting[0].state + "x",
		"state=" + waiting[0].state[1:], "state=x&state=" + waiting[0].state,
	} {
		values := testkit.Must(url.ParseQuery(query))(t)
		if login, err := logins.Callback(t.Context(), calledBack(values)); !errors.Is(err, ErrUnknownState) || login != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
	if _, err := logins.Callback(t.Context(), calledBack(nil)); !errors.Is(err, ErrUnknownState) {
		t.Error(err)
	}
	for i, login := range waiting {
		if over, err := login.Done(); over {
			t.Errorf("a stranger ended login %d: %v", i, err)
		}
	}
	if len(amazon.TokenCalls()) != 0 {
		t.Error("a stranger caused a token call")
	}
	if _, err := logins.Callback(t.Context(), calledBack(consent(t, waiting[0]))); err != nil {
		t.Errorf("the login does not go on: %v", err)
	}
}

func TestErrorWithTheRightStateEndsTheLogin(t *testing.T) {
	for _, c := range []struct{ query, code, says string }{
		{"error=access_denied&error_description=no", "access_denied", "cancelled: no"},
		{"error=access_denied&code=ANx", "access_denied", "cancelled"},
		{"error=invalid_scope&error_description=An+unknown+scope", "invalid_scope", "scopes to this client (invalid_scope): An unknown scope"},
		{"error=unauthorized_client", "unauthorized_client", "this client"},
		{"error=server_error", "server_error", "server_error"},
		{"error=%1b%5b31m", "unknown_error", "unknown_error"},
		{"error=x&error_description=a%1b%5b31m%e2%80%aeb%c2%9b" + strings.Repeat("c", 999), "x", "a?[31m?b?ccc"},
		{"", "", "neither a code nor an error"},
	} {
		p, logins := newProvider(), Logins{}
		login := begin(t, &logins, loginSource(t, p.client()), p.client())
		query := testkit.Must(url.ParseQuery(c.query))(t)
		query.Set("state", login.state)
		_, err := logins.Callback(t.Context(), calledBack(query))
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Error(), c.says) || e.Hint == "" || len(e.Error()) > 400 {
			t.Errorf("%s: %q", c.query, err)
		}
		if over, ended := login.Done(); !over || ended != err || login.HasRefreshToken() || p.calls() != 0 {
			t.Errorf("%s: over %v, %v, %d calls", c.query, over, ended, p.calls())
		}
	}
}

func TestRepeatedCallbackRepeatsTheOutcome(t *testing.T) {
	amazon, client := startAmazon(t, sandbox.Options{TokenDelay: 50 * time.Millisecond})
	source := loginSource(t, client)
	var logins Logins
	login := begin(t, &logins, source, client)
	query := consent(t, login)
	outcomes := make(chan error, 8)
	for range cap(outcomes) {
		go func() {
			login.HasRefreshToken() // as a page may ask at any time
			got, err := logins.Callback(t.Context(), calledBack(query))
			if got != login {
				err = errors.New("another login")
			}
			outcomes <- err
		}()
	}
	for range cap(outcomes) {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
	if _, err := logins.Callback(t.Context(), calledBack(url.Values{"state": {login.state}, "error": {"access_denied"}})); err != nil {
		t.Errorf("a later error changed the outcome: %v", err)
	}
	if calls := amazon.TokenCalls(); len(calls) != 1 {
		t.Errorf("%d token calls", len(calls))
	}

	again := begin(t, &logins, source, client)
	query.Set("state", again.state) // a code that was used already
	for range 2 {
		_, err := logins.Callback(t.Context(), calledBack(query))
		var e *Error
		if !errors.As(err, &e) || e.Code != "invalid_grant" || !strings.Contains(e.Error(), "code of this login") {
			t.Error(err)
		}
	}
	if calls := amazon.TokenCalls(); len(calls) != 2 {
		t.Errorf("%d token calls", len(calls))
	}
	mustToken(t, source) // a failed login costs nothing that was there
}

func TestBrowserThatHangsUpDoesNotEndTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, logins := newProvider(), Logins{}
		p.delay = 5 * time.Second
		source := &Source{Name: "alexa", Store: &MemoryStore{}}
		login := begin(t, &logins, source, p.client())
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		logins.Callback(ctx, calledBack(url.Values{"state": {login.state}, "code": {"ANx"}}))
		if over, err := login.Done(); !over || err != nil || load(t, source.Store).Access != "access-1" {
			t.Errorf("over %v, %v", over, err)
		}
	})
}

func TestLoginThatTheProviderCannotFinish(t *testing.T) {
	for _, c := range outages {
		p, logins := newProvider(), Logins{}
		p.now(c.answer)
		source := &Source{Name: "alexa", Store: holding(t, stored(time.Hour))}
		testkit.NoError(t, source.Load())
		login := begin(t, &logins, source, p.client())
		_, err := logins.Callback(t.Context(), calledBack(url.Values{"state": {login.state}, "code": {"ANx"}}))
		var e *Error
		if !errors.As(err, &e) || e.Action != c.action {
			t.Fatalf("%s: %v", c.name, err)
		}
		checkSilent(t, e)
		if strings.Contains(e.Hint, "kept") || p.calls() != 1 || mustToken(t, source) != "access-0" {
			t.Errorf("%s: %s; %d calls", c.name, e.Hint, p.calls())
		}
	}
}

func TestRevokedGrantEndsInLoginNeeded(t *testing.T) {
	amazon, client := startAmazon(t, sandbox.Options{})
	source := loginSource(t, client)
	var logins Logins
	testkit.Must(logins.Callback(t.Context(), calledBack(consent(t, begin(t, &logins, source, client)))))(t)
	amazon.RevokeGrants()
	source.Reject(Token{Access: mustToken(t, source)})
	for range 3 {
		if e := refused(t, source); e.Action != ActionLogin {
			t.Error(e)
		}
	}
	if calls := amazon.TokenCalls(); len(calls) != 2 || calls[1].Error != "invalid_grant" {
		t.Errorf("%+v", calls)
	}
	testkit.Must(logins.Callback(t.Context(), calledBack(consent(t, begin(t, &logins, source, client)))))(t)
	mustToken(t, source)
}
