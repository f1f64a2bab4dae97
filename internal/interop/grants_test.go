package interop

import (
	"context"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

// discovering is a client that knows no more of its provider than the issuer.
func discovering(server *httptest.Server, id string, secret tokens.Secret) *tokens.Client {
	client := clientOf(server, id, secret)
	client.Issuer, client.AuthURL, client.TokenURL = server.URL, "", ""
	return client
}

func TestDiscoveredProviderUntilItsRefreshTokenIsRevoked(t *testing.T) {
	server := startProvider(t)
	client := discovering(server, "secret", "s3cret")
	source := loggedIn(t, server, client)
	token := testkit.Must(source.Fresh(t.Context(), time.Hour))(t)
	checkToken(t, server, token)

	testkit.NoError(t, client.Revoke(t.Context(), stored(t, source)))
	if _, err := source.Fresh(t.Context(), time.Hour); !tokens.LoginNeeded(err) || stored(t, source).Refused != "invalid_grant" {
		t.Error(err)
	}
}

func TestAnotherIssuersDocumentIsRefusedEachTime(t *testing.T) {
	server := startProvider(t)
	client := discovering(server, "public", "")
	client.Issuer += "/" // the provider says it without
	var logins tokens.Logins
	for range 2 {
		if login, err := logins.Begin(t.Context(), sourceOf(t, client), client); err == nil {
			t.Errorf("sent to %s", login.URL)
		}
	}
}

func TestClientCredentials(t *testing.T) {
	server := startProvider(t)
	for _, basic := range []bool{false, true} {
		client := discovering(server, "sid1", "verysecret") // comes with the provider's storage
		client.Basic, client.Scopes = basic, []string{"openid"}
		first := testkit.Must(client.ClientCredentials(t.Context(), tokens.Grant{}))(t)
		second := testkit.Must(client.ClientCredentials(t.Context(), first))(t)
		if first.Access == second.Access || !client.Matches(second) || !second.Refresh.IsZero() || time.Until(second.Expiry) > 5*time.Minute {
			t.Errorf("basic %v: %+v", basic, second)
		}
		client.Secret = func() (tokens.Secret, error) { return "wrong", nil }
		if _, err := client.ClientCredentials(t.Context(), tokens.Grant{}); err == nil || tokens.LoginNeeded(err) {
			t.Errorf("basic %v, wrong secret: %v", basic, err)
		}
	}
}

// The provider asks for polls 5 s apart.
func TestDeviceLoginThatIsAllowedOrDenied(t *testing.T) {
	server := startProvider(t)
	for _, action := range []string{"allowed", "denied"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			client := discovering(server, "device", "s3cret")
			client.Basic, client.Scopes = true, []string{"openid"}
			source := sourceOf(t, client)
			var logins tokens.Logins
			login := testkit.Must(logins.BeginDevice(t.Context(), source, client))(t)
			decide(t, server, login, action)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err := login.Wait(ctx)
			if action == "denied" {
				if !tokens.LoginNeeded(err) {
					t.Error(err)
				}
				return
			}
			testkit.NoError(t, err)
			token := testkit.Must(source.Token(t.Context()))(t)
			checkToken(t, server, token)
		})
	}
}

// decide goes through the pages that a person with the code would see.
func decide(t *testing.T, server *httptest.Server, login *tokens.Login, action string) {
	t.Helper()
	b := newBrowser(t, server)
	if !strings.HasPrefix(login.Device.VerificationURL, server.URL) {
		t.Fatalf("%+v", login.Device)
	}
	b.get(t, login.Device.CompleteURL)
	b.post(t, "/device/login", url.Values{"user_code": {login.Device.UserCode}, "username": {user}, "password": {password}})
	if resp := b.post(t, "/device/confirm", url.Values{"action": {action}}); resp.Request.URL.Query().Has("prompt") {
		t.Fatalf("sent back to %s", resp.Request.URL)
	}
}
