package sandbox

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func TestTokenAnswerLooksLikeAmazons(t *testing.T) {
	s := start(t, Options{})
	answer := loggedIn(t, s)
	if !strings.HasPrefix(answer.AccessToken, "Atza|sandbox-") || len(answer.AccessToken) < 340 {
		t.Errorf("access token of %d characters: %.20s", len(answer.AccessToken), answer.AccessToken)
	}
	if !strings.HasPrefix(answer.RefreshToken, "Atzr|sandbox-") {
		t.Errorf("refresh token %.20s", answer.RefreshToken)
	}
	if answer.TokenType != "bearer" || answer.ExpiresIn != 3600 {
		t.Errorf("%+v", answer)
	}
	if answer.header.Get("Cache-Control") != "no-store" || answer.header.Get("Pragma") != "no-cache" {
		t.Errorf("headers %v", answer.header)
	}
}

func TestRefreshKeepsTheRefreshToken(t *testing.T) {
	s := start(t, Options{})
	before := loggedIn(t, s)
	after := postToken(t, s, refreshForm(before.RefreshToken))
	if after.status != http.StatusOK || after.AccessToken == before.AccessToken || after.RefreshToken != before.RefreshToken {
		t.Errorf("%d %s", after.status, after.Error)
	}
	// the older access token lives on
	if answer := send(t, client(t, s), ask(t, s, before.AccessToken, "GET", "/ping", nil)); answer.StatusCode != http.StatusNoContent {
		t.Error(answer.Status)
	}
}

func TestTokenRequestForms(t *testing.T) {
	s := start(t, Options{})
	refresh := loggedIn(t, s).RefreshToken
	form := refreshForm(refresh)
	members, _ := json.Marshal(map[string]string{
		"grant_type": "refresh_token", "refresh_token": refresh, "client_id": ClientID, "client_secret": ClientSecret,
	})
	chunked := io.MultiReader(strings.NewReader(form.Encode())) // of unknown length
	raw, _ := url.QueryUnescape(form.Encode())                  // as curl --data sends it: the | unescaped
	for name, answer := range map[string]tokenAnswer{
		"form":    postToken(t, s, form),
		"chunked": postTokenAs(t, s, "application/x-www-form-urlencoded;charset=UTF-8", chunked),
		"raw":     postTokenAs(t, s, "application/x-www-form-urlencoded", strings.NewReader(raw)),
		"JSON":    postTokenAs(t, s, "application/json; charset=utf-8", bytes.NewReader(members)),
		"Basic":   postBasic(t, s, with(refreshForm(refresh), "client_id", "", "client_secret", "")),
	} {
		if answer.status != http.StatusOK || answer.RefreshToken != refresh {
			t.Errorf("%s: %d %s", name, answer.status, answer.Error)
		}
	}
}

func postBasic(t *testing.T, s *Sandbox, form url.Values) tokenAnswer {
	t.Helper()
	request, _ := http.NewRequestWithContext(within(t, time.Minute), "POST", s.LWA()+"/AUTH/O2/token", strings.NewReader(form.Encode()))
	request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(ClientID+":"+ClientSecret)))
	answer := send(t, client(t, s), request)
	parsed := tokenAnswer{status: answer.StatusCode}
	json.Unmarshal(answer.body, &parsed)
	return parsed
}

func TestTokenErrors(t *testing.T) {
	s := start(t, Options{})
	refresh := loggedIn(t, s).RefreshToken
	code := func() string { return consentTo(t, s, authorizeQuery()).Get("code") }
	for _, c := range []struct {
		name        string
		form        url.Values
		status      int
		code        string
		description string
	}{
		{"unknown code", exchangeForm("ANxxxxxxxxxxxxxxxxxx"), 400, "invalid_grant", "The request has an invalid grant parameter : code"},
		{"other redirect", exchangeForm(code(), "redirect_uri", redirectURI+"/"), 400, "invalid_grant", "The request has an invalid grant parameter : code"},
		{"no redirect", exchangeForm(code(), "redirect_uri", ""), 400, "invalid_request", "The request is missing a required parameter : redirect_uri"},
		{"unknown refresh token", refreshForm("Atzr|x"), 400, "invalid_grant", "The request has an invalid grant parameter : refresh_token. User may have revoked or didn't grant the permission."},
		{"wrong secret", refreshForm(refresh, "client_secret", "x"), 401, "invalid_client", "Client authentication failed"},
		{"no secret, no PKCE", exchangeForm(code(), "client_secret", ""), 401, "invalid_client", "Client authentication failed"},
		{"no secret any more", refreshForm(refresh, "client_secret", ""), 401, "invalid_client", "Client authentication failed"},
		{"unknown client", refreshForm(refresh, "client_id", "{{YOUR_ID}}"), 400, "InvalidValue", "The request has an invalid parameter : client_id"},
		{"no client", refreshForm(refresh, "client_id", ""), 400, "invalid_request", "The request is missing a required parameter : client_id"},
		{"no grant", refreshForm(refresh, "grant_type", ""), 400, "invalid_request", "The request is missing a required parameter : grant_type"},
		{"other grant", refreshForm(refresh, "grant_type", "password"), 400, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server"},
		{"no refresh token", refreshForm(""), 400, "invalid_request", "The request is missing a required parameter : refresh_token"},
		{"twice", url.Values{"grant_type": {"refresh_token", "refresh_token"}}, 400, "invalid_request", "The request includes a duplicate parameter : grant_type"},
		{"verifier without challenge", exchangeForm(code(), "code_verifier", oauth2.GenerateVerifier()), 400, "unauthorized_client", "Not authorized for requested operation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkRefusal(t, postToken(t, s, c.form), c.status, c.code, c.description)
		})
	}
}

func checkRefusal(t *testing.T, got tokenAnswer, status int, code, description string) {
	t.Helper()
	if got.status != status || got.Error != code || got.Description != description {
		t.Errorf("got %d %s %q\nwant %d %s %q", got.status, got.Error, got.Description, status, code, description)
	}
	if got.RequestID == "" || got.header.Get("Cache-Control") != "no-store" || got.header.Get("Pragma") != "no-cache" {
		t.Errorf("request_id %q, headers %v", got.RequestID, got.header)
	}
	if got.AccessToken != "" {
		t.Error("a refusal holds a token")
	}
}

func TestMalformedTokenRequestsAreRefused(t *testing.T) {
	s := start(t, Options{})
	const malformed = "The request is malformed"
	form := "application/x-www-form-urlencoded"
	checkRefusal(t, postTokenAs(t, s, form, strings.NewReader("a=%zz")), 400, "invalid_request", malformed)
	checkRefusal(t, postTokenAs(t, s, "application/json", strings.NewReader("a=b")), 400, "invalid_request", malformed)
	checkRefusal(t, postTokenAs(t, s, form, strings.NewReader("a="+strings.Repeat("x", maxTokenRequest))), 400, "invalid_request", malformed)

	var body bytes.Buffer
	fields := multipart.NewWriter(&body)
	fields.WriteField("grant_type", "refresh_token")
	fields.Close()
	checkRefusal(t, postTokenAs(t, s, fields.FormDataContentType(), &body), 400, "unsupported_grant_type",
		"The authorization grant type is not supported by the authorization server")

	got := do(t, client(t, s), "GET", s.LWA()+"/auth/o2/token", "", nil)
	if got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "POST" {
		t.Error(got.Status, got.Header)
	}
}

func TestCodeCanBeRedeemedOnce(t *testing.T) {
	s := start(t, Options{})
	code := consentTo(t, s, authorizeQuery()).Get("code")
	if first := postToken(t, s, exchangeForm(code)); first.status != http.StatusOK {
		t.Fatal(first.status, first.Error)
	}
	if second := postToken(t, s, exchangeForm(code)); second.Error != "invalid_grant" {
		t.Error(second.status, second.Error)
	}
	burned := consentTo(t, s, authorizeQuery()).Get("code")
	postToken(t, s, exchangeForm(burned, "client_secret", "wrong"))
	if after := postToken(t, s, exchangeForm(burned)); after.Error != "invalid_grant" {
		t.Errorf("a failed exchange did not burn the code: %d %s", after.status, after.Error)
	}
}

func TestRevokedGrantsAreInvalid(t *testing.T) {
	s := start(t, Options{})
	tokens := loggedIn(t, s)
	s.RevokeGrants()
	if answer := postToken(t, s, refreshForm(tokens.RefreshToken)); answer.Error != "invalid_grant" {
		t.Error(answer.status, answer.Error)
	}
	if again := postToken(t, s, refreshForm(loggedIn(t, s).RefreshToken)); again.status != http.StatusOK {
		t.Error("a grant made after the revocation is dead too")
	}
}

func TestTokenCallsAreListedWithoutSecrets(t *testing.T) {
	s := start(t, Options{})
	loggedIn(t, s)
	postToken(t, s, refreshForm("Atzr|x"))
	calls := s.TokenCalls()
	if len(calls) != 2 {
		t.Fatalf("%d calls", len(calls))
	}
	for i, want := range []TokenCall{
		{Grant: "authorization_code", ClientID: ClientID, Status: 200},
		{Grant: "refresh_token", ClientID: ClientID, Status: 400, Error: "invalid_grant"},
	} {
		got := calls[i]
		if got.Time.IsZero() {
			t.Error("no time")
		}
		if got.Time = want.Time; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestTokenDelayOutlivesTheCaller(t *testing.T) {
	s := start(t, Options{TokenDelay: time.Hour})
	ctx, hangUp := context.WithCancel(within(t, time.Minute))
	request, _ := http.NewRequestWithContext(ctx, "POST", s.LWA()+"/auth/o2/token", strings.NewReader(refreshForm("Atzr|x").Encode()))
	done := make(chan error)
	go func() {
		_, err := client(t, s).Do(request)
		done <- err
	}()
	for len(s.TokenCalls()) == 0 {
		time.Sleep(time.Millisecond)
	}
	hangUp()
	if err := <-done; err == nil {
		t.Error("the answer came before the delay was over")
	}
}

func TestTokenInfoNamesTheClient(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	var info struct {
		Aud string `json:"aud"`
	}
	answer := do(t, client(t, s), "GET", s.LWA()+"/auth/o2/tokeninfo?access_token="+url.QueryEscape(token), "", nil)
	json.Unmarshal(answer.body, &info)
	if answer.StatusCode != http.StatusOK || info.Aud != ClientID {
		t.Errorf("%s %s", answer.Status, answer.body)
	}
	if answer := do(t, client(t, s), "GET", s.LWA()+"/auth/O2/tokeninfo?access_token=x", "", nil); answer.StatusCode != http.StatusBadRequest {
		t.Error(answer.Status)
	}
}
