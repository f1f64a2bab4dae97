package sandbox

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func TestPKCE(t *testing.T) {
	s := start(t, Options{})
	verifier := oauth2.GenerateVerifier()
	s256 := []string{"code_challenge", oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method", "S256"}
	plain := []string{"code_challenge", verifier}
	for _, c := range []struct {
		name      string
		challenge []string
		exchange  []string
		want      string
	}{
		{"S256", s256, []string{"code_verifier", verifier}, ""},
		{"S256 without secret", s256, []string{"code_verifier", verifier, "client_secret", ""}, ""},
		{"plain when no method is named", plain, []string{"code_verifier", verifier}, ""},
		{"plain", append(plain, "code_challenge_method", "plain"), []string{"code_verifier", verifier}, ""},
		{"mismatch", s256, []string{"code_verifier", oauth2.GenerateVerifier()}, "unauthorized_client"},
		{"challenge as verifier", s256, []string{"code_verifier", s256[1]}, "unauthorized_client"},
		{"no verifier", s256, nil, "unauthorized_client"},
		{"no verifier, no secret", s256, []string{"client_secret", ""}, "unauthorized_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := consentTo(t, s, authorizeQuery(c.challenge...)).Get("code")
			if answer := postToken(t, s, exchangeForm(code, c.exchange...)); answer.Error != c.want {
				t.Errorf("%d %q, want %q", answer.status, answer.Error, c.want)
			}
		})
	}
}

func TestSecretlessGrantIsRenewedWithoutSecret(t *testing.T) {
	s := start(t, Options{})
	verifier := oauth2.GenerateVerifier()
	code := consentTo(t, s, authorizeQuery("code_challenge", oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method", "S256")).Get("code")
	first := postToken(t, s, exchangeForm(code, "code_verifier", verifier, "client_secret", ""))
	if again := postToken(t, s, refreshForm(first.RefreshToken, "client_secret", "")); again.status != http.StatusOK {
		t.Error(again.status, again.Error)
	}
}

// The library that the world uses must get along with the sandbox unmodified.
func TestXOAuth2RunsUnmodified(t *testing.T) {
	s := start(t, Options{})
	config := oauth2.Config{
		ClientID:     ClientID,
		ClientSecret: ClientSecret,
		RedirectURL:  redirectURI,
		Scopes:       []string{"alexa:all"},
		Endpoint:     oauth2.Endpoint{AuthURL: s.LWA() + "/ap/oa", TokenURL: s.LWA() + "/auth/o2/token"},
	}
	ctx := context.WithValue(within(t, time.Minute), oauth2.HTTPClient, client(t, s))
	verifier := oauth2.GenerateVerifier()
	page, _ := url.Parse(config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("scope_data", scopeData)))
	code := consentTo(t, s, page.Query()).Get("code")
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(token.Expiry); left < 59*time.Minute || token.Type() != "Bearer" {
		t.Errorf("%v left, type %s", left, token.Type())
	}
	renewed, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if err != nil || renewed.AccessToken == token.AccessToken {
		t.Errorf("refresh: %v", err)
	}
}
