package tokens

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

func TestClientCredentialsNeedNoRefreshToken(t *testing.T) {
	amazon, client := startAmazon(t, sandbox.Options{})
	client.Scopes = []string{"sellingpartnerapi::notifications"}
	for _, basic := range []bool{false, true} {
		client.Basic = basic
		old := stored(0)
		grant, err := client.ClientCredentials(t.Context(), old)
		if err != nil || grant.Kind != "client_credentials" || grant.Access.IsZero() || !grant.Refresh.IsZero() || grant.Seed != "" {
			t.Fatal(grant, err)
		}
		if !grant.LoggedIn.Equal(old.LoggedIn) || !client.Matches(grant) || time.Until(grant.Expiry) < 59*time.Minute {
			t.Errorf("%+v", grant)
		}
	}
	if grant, err := client.ClientCredentials(t.Context(), Grant{}); err != nil || grant.LoggedIn.IsZero() {
		t.Error(err)
	}
	for _, call := range amazon.TokenCalls() {
		if call.Grant != "client_credentials" || call.Status != 200 {
			t.Errorf("%+v", call)
		}
	}
}

// No login can heal such a grant, so its refusal must not ask for one.
func TestClientCredentialsNeverAskForALogin(t *testing.T) {
	for _, code := range []string{"invalid_grant", "invalid_client", "invalid_scope"} {
		p := newProvider()
		p.now(answering(400, jsonType, `{"error":"`+code+`"}`))
		client := p.client()
		client.TokenParams = map[string]string{"audience": "x", "scope": "y", "grant_type": "z"}
		_, err := client.ClientCredentials(t.Context(), Grant{})
		if e := asError(err); e.Action != ActionConfig || e.Hint == "" || p.last().Get("audience") != "x" || p.last().Get("scope") != "alexa:all" || p.last().Get("grant_type") != clientKind {
			t.Errorf("%s: %#v, asked with %v", code, e, p.last())
		}
	}
}

func TestBasicKeepsTheSecretOutOfTheBody(t *testing.T) {
	server := testkit.Server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		w.Header().Set("Content-Type", jsonType)
		fmt.Fprintf(w, `{"access_token":"%s/%s/%s%s"}`, id, secret, r.PostFormValue("client_id"), r.PostFormValue("client_secret"))
	}))
	client := &Client{ID: "i:d", Basic: true, TokenURL: server.URL, RevokeURL: server.URL, HTTP: server.Client()}
	client.Secret = func() (Secret, error) { return "s&t", nil }
	grant, err := client.Refresh(t.Context(), stored(0))
	if err != nil || grant.Access != "i%3Ad/s%26t/" {
		t.Error(grant.Access.Reveal(), err)
	}
	testkit.NoError(t, client.Revoke(t.Context(), grant))
	client.Secret = nil // and then the ID must come in the body
	if grant, err = client.Refresh(t.Context(), stored(0)); err != nil || grant.Access != "//i:d" {
		t.Error(grant.Access.Reveal(), err)
	}
}

func TestOnlyBearerTokensAreTaken(t *testing.T) {
	for kind, taken := range map[string]bool{"": true, "bearer": true, "BEARER": true, "DPoP": false, "mac": false} {
		p := newProvider()
		p.now(answering(200, jsonType, `{"access_token":"a","token_type":"`+kind+`"}`))
		_, refresh := p.client().Refresh(t.Context(), stored(0))
		_, exchange := p.client().exchange(t.Context(), "code", "verifier")
		_, credentials := p.client().ClientCredentials(t.Context(), Grant{})
		for _, err := range []error{refresh, exchange, credentials} {
			if (err == nil) != taken || err != nil && asError(err).Action != ActionConfig {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}

// GitHub's tokens neither end nor can be renewed; its answers are forms.
func TestTokenWithoutEndAndSuccessorLivesOn(t *testing.T) {
	p := newProvider()
	p.now(answering(200, "application/x-www-form-urlencoded", "access_token=gho&token_type=bearer&scope="))
	grant, err := p.client().exchange(t.Context(), "code", "verifier")
	if err != nil || !grant.Expiry.IsZero() {
		t.Errorf("ends %v, %v", grant.Expiry, err)
	}
	if grant, err = p.client().ClientCredentials(t.Context(), Grant{}); err != nil || grant.Expiry.IsZero() || time.Until(grant.Expiry) > lifeUnsaid {
		t.Errorf("ends %v, %v", grant.Expiry, err)
	}
}

func TestSkewIsLearnedFromTokenAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.delay = 20 * time.Second
		client := p.client()
		for _, c := range []struct{ ahead, want time.Duration }{
			{0, 0}, {25 * time.Second, 0}, {-25 * time.Second, 0}, {time.Hour, time.Hour}, {-48 * time.Hour, -48 * time.Hour}, {0, 0},
		} {
			p.now(answering(200, jsonType, `{"access_token":"a"}`, "Date", time.Now().Add(10*time.Second-c.ahead).UTC().Format(http.TimeFormat)))
			if _, err := client.Refresh(t.Context(), stored(0)); err != nil || client.Skew() != c.want {
				t.Errorf("ahead by %v: %v, %v", c.ahead, client.Skew(), err)
			}
		}
		p.now(answering(200, jsonType, `{"access_token":"a"}`, "Date", "soon"))
		if _, err := client.Refresh(t.Context(), stored(0)); err != nil || client.Skew() != 0 {
			t.Error(client.Skew(), err)
		}
	})
}

func TestRevokeWithoutAnEndpointDoesNothing(t *testing.T) {
	p := newProvider()
	client := p.client()
	client.RevokeURL = ""
	if err := client.Revoke(t.Context(), stored(0)); err != nil || p.calls() != 0 {
		t.Error(err)
	}
}
