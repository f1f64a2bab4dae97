package interop

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"avsproxy/tokens"
)

// loggedIn is a source after a login through the provider's pages.
func loggedIn(t *testing.T, server *httptest.Server, client *tokens.Client) *tokens.Source {
	t.Helper()
	var logins tokens.Logins
	source := sourceOf(t, client)
	login, err := logins.Begin(t.Context(), source, client)
	must(t, err)
	callback := newBrowser(t, server).login(t, login.URL)
	if !strings.HasPrefix(callback.String(), redirectURL+"?") {
		t.Fatalf("sent to %s", callback)
	}
	_, err = logins.Callback(t.Context(), callback)
	must(t, err)
	if !login.HasRefreshToken() {
		t.Fatal("no refresh token")
	}
	return source
}

func stored(t *testing.T, source *tokens.Source) tokens.Grant {
	t.Helper()
	grant, err := source.Store.Load(source.Name)
	must(t, err)
	return grant
}

// checkToken asks the provider whose token it is.
func checkToken(t *testing.T, server *httptest.Server, token tokens.Token) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/userinfo", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token.Access.Reveal())
	resp, err := server.Client().Do(req)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("the provider does not know its token: %s", resp.Status)
	}
}

func TestLoginWithPKCEAndRotatingRefreshTokens(t *testing.T) {
	server := startProvider(t)
	for id, secret := range map[string]tokens.Secret{"public": "", "secret": "s3cret"} {
		t.Run(id, func(t *testing.T) {
			source := loggedIn(t, server, clientOf(server, id, secret))
			seen := map[tokens.Secret]bool{}
			for range 3 {
				token, err := source.Fresh(t.Context(), time.Hour) // the provider gives 5 minutes: each is a renewal
				must(t, err)
				checkToken(t, server, token)
				grant := stored(t, source)
				if seen[grant.Access] || seen[grant.Refresh] || grant.Access != token.Access {
					t.Errorf("%+v is not new", grant)
				}
				seen[grant.Access], seen[grant.Refresh] = true, true
				if left := time.Until(token.Expiry); left < 4*time.Minute || left > 5*time.Minute {
					t.Errorf("it lives for %v", left)
				}
			}
		})
	}
}

func TestCodeOfAnotherLoginIsRefused(t *testing.T) {
	server := startProvider(t)
	client := clientOf(server, "public", "")
	source := sourceOf(t, client)
	var victims, attackers tokens.Logins
	login, err := victims.Begin(t.Context(), source, client)
	must(t, err)
	other, err := attackers.Begin(t.Context(), source, client)
	must(t, err)
	victim, err := url.Parse(login.URL)
	must(t, err)
	callback := newBrowser(t, server).login(t, other.URL)
	query := callback.Query()
	query.Set("state", victim.Query().Get("state")) // the code of one login, the verifier of another
	callback.RawQuery = query.Encode()
	if _, err := victims.Callback(t.Context(), callback); !tokens.LoginNeeded(err) {
		t.Error(err)
	}
}

func TestSpentRefreshTokenEndsInLoginNeeded(t *testing.T) {
	server := startProvider(t)
	client := clientOf(server, "public", "")
	source := loggedIn(t, server, client)
	spent := stored(t, source)
	_, err := source.Fresh(t.Context(), time.Hour)
	must(t, err)
	if _, err := client.Refresh(t.Context(), spent); !tokens.LoginNeeded(err) {
		t.Error(err)
	}
}
