package interop

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

// loggedIn is a source after a login through the provider's pages.
func loggedIn(t *testing.T, server *httptest.Server, client *tokens.Client) *tokens.Source {
	t.Helper()
	var logins tokens.Logins
	source := sourceOf(t, client)
	login := testkit.Must(logins.Begin(t.Context(), source, client))(t)
	callback := newBrowser(t, server).login(t, login.URL)
	if !strings.HasPrefix(callback.String(), redirectURL+"?") {
		t.Fatalf("sent to %s", callback)
	}
	testkit.Must(logins.Callback(t.Context(), callback))(t)
	if !login.HasRefreshToken() {
		t.Fatal("no refresh token")
	}
	return source
}

func stored(t *testing.T, source *tokens.Source) tokens.Grant {
	t.Helper()
	return testkit.Must(source.Store.Load(source.Name))(t)
}

// checkToken asks the provider whose token it is.
func checkToken(t *testing.T, server *httptest.Server, token tokens.Token) {
	t.Helper()
	req := testkit.Must(http.NewRequestWithContext(t.Context(), "GET", server.URL+"/userinfo", nil))(t)
	req.Header.Set("Authorization", "Bearer "+token.Access.Reveal())
	resp := testkit.Must(server.Client().Do(req))(t)
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
				token := testkit.Must(source.Fresh(t.Context(), time.Hour))(t) // the provider gives 5 minutes: each is a renewal
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
	login := testkit.Must(victims.Begin(t.Context(), source, client))(t)
	other := testkit.Must(attackers.Begin(t.Context(), source, client))(t)
	victim := testkit.Must(url.Parse(login.URL))(t)
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
	testkit.Must(source.Fresh(t.Context(), time.Hour))(t)
	if _, err := client.Refresh(t.Context(), spent); !tokens.LoginNeeded(err) {
		t.Error(err)
	}
}
