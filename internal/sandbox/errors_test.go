package sandbox

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/sandbox/faults"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	tokenPath = "/auth/o2/token"
	pairPath  = "/auth/O2/create/codepair"
)

func credentialsForm(scope string, pairs ...string) url.Values {
	return with(url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {ClientID},
		"client_secret": {ClientSecret},
		"scope":         {scope},
	}, pairs...)
}

// Every row of LWA's error table that a request can bring about. TestTokenErrors
// has those of codes and refresh tokens, TestLWAFaults those of the server's own.
func TestErrorsOfLWA(t *testing.T) {
	s := start(t, Options{AskConsent: true})
	pair := newPair(t, s)
	poll := func(pairs ...string) url.Values { return pollForm(pair.DeviceCode, pair.UserCode, pairs...) }
	const (
		denied  = "Not authorized for requested operation"
		unfit   = "The request has an invalid parameter : "
		absent  = "The request is missing a required parameter : "
		noScope = "Client does not have permission to use scope : "
	)
	for _, c := range []struct {
		name, path  string
		form        url.Values
		status      int
		code        string
		description string
	}{
		{"credentials: scope", tokenPath, credentialsForm("alexa:all"), 400, "invalid_scope", noScope + "alexa:all"},
		{"credentials: one scope of two", tokenPath, credentialsForm("alexa:skill_messaging x"), 400, "invalid_scope", noScope + "x"},
		{"credentials: no scope", tokenPath, credentialsForm(""), 400, "invalid_request", absent + "scope"},
		{"credentials: no secret", tokenPath, credentialsForm("alexa:skill_messaging", "client_secret", ""), 401, "invalid_client", "Client authentication failed"},
		{"credentials: wrong secret", tokenPath, credentialsForm("alexa:skill_messaging", "client_secret", "x"), 401, "invalid_client", "Client authentication failed"},
		{"credentials: client", tokenPath, credentialsForm("alexa:skill_messaging", "client_id", "x"), 400, "InvalidValue", unfit + "client_id"},

		{"pair: no response_type", pairPath, pairForm("response_type", ""), 400, "invalid_request", absent + "response_type"},
		{"pair: response_type", pairPath, pairForm("response_type", "code"), 400, "invalid_request", unfit + "response_type"},
		{"pair: no scope", pairPath, pairForm("scope", ""), 400, "invalid_request", absent + "scope"},
		{"pair: scope", pairPath, pairForm("scope", "alexa:some"), 400, "invalid_scope", noScope + "alexa:some"},
		{"pair: scope_data", pairPath, pairForm("scope_data", "{}"), 400, "InvalidValue", unfit + "scope_data"},
		{"pair: no client", pairPath, pairForm("client_id", ""), 400, "invalid_request", absent + "client_id"},
		{"pair: client", pairPath, pairForm("client_id", "{{CLIENT}}"), 400, "InvalidValue", unfit + "client_id"},
		{"pair: secret", pairPath, pairForm("client_secret", ClientSecret), 400, "unauthorized_client", denied},

		{"poll: first", tokenPath, poll(), 400, "authorization_pending", "The user has not yet decided about the code pair"},
		{"poll: too soon", tokenPath, poll(), 400, "slow_down", "The code pair is polled too often"},
		{"poll: unknown user code", tokenPath, poll("user_code", "WRONG1"), 400, "invalid_code_pair", "The code pair is unknown, expired or used"},
		{"poll: unknown device code", tokenPath, poll("device_code", "x"), 400, "invalid_code_pair", "The code pair is unknown, expired or used"},
		{"poll: no user code", tokenPath, poll("user_code", ""), 400, "invalid_request", absent + "user_code"},
		{"poll: no device code", tokenPath, poll("device_code", ""), 400, "invalid_request", absent + "device_code"},
		{"poll: secret", tokenPath, poll("client_id", ClientID, "client_secret", ClientSecret), 400, "unauthorized_client", denied},
		{"poll: client", tokenPath, poll("client_id", "x"), 400, "InvalidValue", unfit + "client_id"},
		{"poll: RFC 8628's grant", tokenPath, poll("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), 400, "unsupported_grant_type",
			"The authorization grant type is not supported by the authorization server"},

		{"wrong path", "/Oauth/o2/token", refreshForm("x"), 500, "servererror", "The sandbox has no such page: tokens are at /auth/o2/token"},
		{"revoke: nothing", "/auth/o2/revoke", url.Values{"client_id": {ClientID}}, 400, "invalid_request", absent + "token"},
		{"revoke: client", "/auth/o2/revoke", url.Values{"token": {"x"}, "client_id": {ClientID}, "client_secret": {"x"}}, 401, "invalid_client", "Client authentication failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkRefusal(t, postTo(t, client(t, s), s.LWA()+c.path, c.form), c.status, c.code, c.description)
		})
	}
	for _, path := range []string{tokenPath, pairPath, "/auth/o2/revoke"} {
		if answer := do(t, client(t, s), "GET", s.LWA()+path, "", nil); answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "POST" {
			t.Errorf("GET %s: %s", path, answer.Status)
		}
	}
}

func TestEveryFaultOfAnErrorHasItsCode(t *testing.T) {
	for _, k := range faults.Kinds() {
		if k.Does != "answers with this error" {
			continue
		}
		if got := errorOfFault(k.Name, tokenRequest{}); got.code != k.Name || got.description == "" {
			t.Errorf("%s: %+v", k.Name, got)
		}
	}
}

// x/oauth2 probes with Basic first, and sends the scopes in one field.
func TestXOAuth2ClientCredentials(t *testing.T) {
	s := start(t, Options{})
	for _, scopes := range [][]string{
		{"alexa:skill_messaging"},
		{"sellingpartnerapi::notifications", "sellingpartnerapi::client_credential:rotation"},
	} {
		config := clientcredentials.Config{ClientID: ClientID, ClientSecret: ClientSecret, TokenURL: s.LWA() + tokenPath, Scopes: scopes}
		token, err := config.Token(context.WithValue(within(t, time.Minute), oauth2.HTTPClient, client(t, s)))
		if err != nil || token.RefreshToken != "" || time.Until(token.Expiry) < 59*time.Minute {
			t.Errorf("%v: %v, %v", scopes, token.Expiry, err)
		}
	}
}

func TestProfile(t *testing.T) {
	s := start(t, Options{})
	token := func(scope string) string {
		code := consentTo(t, s, authorizeQuery("scope", scope)).Get("code")
		return postToken(t, s, exchangeForm(code)).AccessToken
	}
	profile := token("alexa:all profile postal_code")
	page := s.LWA() + "/user/profile"
	for name, set := range map[string]func(*http.Request){
		"query":  func(r *http.Request) { r.URL.RawQuery = url.Values{"access_token": {profile}}.Encode() },
		"bearer": func(r *http.Request) { r.Header.Set("Authorization", "bearer "+profile) },
		"header": func(r *http.Request) { r.Header.Set("x-amz-access-token", profile) },
	} {
		request, _ := http.NewRequestWithContext(within(t, time.Minute), "GET", page, nil)
		set(request)
		answer := send(t, client(t, s), request)
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", name, answer.Status)
		}
		contains(t, string(answer.body), `"user_id":"amzn1.account.SANDBOX"`, `"name":"Sandbox User"`, `"email":"user@sandbox.invalid"`, `"postal_code":`)
	}
	for _, c := range []struct {
		method, query string
		status        int
		want          string
	}{
		{"GET", "?access_token=" + url.QueryEscape(token("profile:user_id")), 200, "user_id"},
		{"GET", "?access_token=" + url.QueryEscape(token("alexa:all")), 401, "insufficient_scope"},
		{"GET", "?access_token=x", 400, "invalid_token"},
		{"GET", "", 400, "invalid_request"},
		{"POST", "?access_token=x", 405, "invalid_request"},
	} {
		answer := do(t, client(t, s), c.method, page+c.query, "", nil)
		if answer.StatusCode != c.status || !strings.Contains(string(answer.body), c.want) || strings.Contains(string(answer.body), "email") {
			t.Errorf("%+v: %s %s", c, answer.Status, answer.body)
		}
	}
}

func TestRevocation(t *testing.T) {
	s := start(t, Options{})
	tokens := loggedIn(t, s)
	revoke := func(token string) {
		t.Helper()
		form := url.Values{"token": {token}, "client_id": {ClientID}, "client_secret": {ClientSecret}}
		if answer := postTo(t, client(t, s), s.LWA()+"/auth/o2/revoke", form); answer.status != http.StatusOK {
			t.Error(answer.status, answer.Error)
		}
	}
	ping := func(token string) int {
		return send(t, client(t, s), ask(t, s, token, "GET", "/ping", nil)).StatusCode
	}
	revoke("unknown")
	revoke(tokens.AccessToken)
	if ping(tokens.AccessToken) != http.StatusForbidden {
		t.Error("the access token lives")
	}
	renewed := postToken(t, s, refreshForm(tokens.RefreshToken))
	revoke(tokens.RefreshToken)
	if ping(renewed.AccessToken) != http.StatusForbidden || postToken(t, s, refreshForm(tokens.RefreshToken)).Error != "invalid_grant" {
		t.Error("the grant lives")
	}
}
