// Package interop proves the OAuth grants of package tokens against the OpenID
// provider of github.com/zitadel/oidc, which shares no code with the sandbox, and
// so no misreading of a specification either; and it has clients and servers of gRPC
// talk through the program.
package interop

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"avsproxy/internal/testkit"
	"avsproxy/tokens"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

const (
	redirectURL = "https://localhost:9745/authresponse"
	user        = "test-user2" // one of those that the provider's storage comes with
	password    = "verysecure"
)

// startProvider starts a provider over TLS; its URL is the issuer. Each has a
// storage and clients of its own. The client "secret" may be sent to redirects too.
func startProvider(t *testing.T, redirects ...string) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	issuer := "https://" + server.Listener.Addr().String()
	clients := map[string]*storage.Client{
		"public": storage.NativeClient("public", redirectURL),
		"secret": storage.WebClient("secret", "s3cret", append(redirects, redirectURL)...),
		"device": storage.DeviceClient("device", "s3cret"),
	}
	users := userStore{storage.NewUserStore(issuer)}
	server.Config.Handler = oneAtATime(exampleop.SetupServer(issuer, storage.NewStorageWithClients(users, clients), slog.New(slog.DiscardHandler), false))
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// oneAtATime is for the provider's storage, which hands out what it goes on
// writing to: two requests at once are a data race that is not ours.
func oneAtATime(next http.Handler) http.Handler {
	var turn sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn.Lock()
		defer turn.Unlock()
		next.ServeHTTP(w, r)
	})
}

// A userStore finds users by name as well as by ID: the provider's pages for
// devices take the one for the other.
type userStore struct{ storage.UserStore }

func (u userStore) GetUserByID(id string) *storage.User {
	return cmp.Or(u.UserStore.GetUserByID(id), u.GetUserByUsername(id))
}

// clientOf is a client with a login by the authorization code grant.
func clientOf(server *httptest.Server, id string, secret tokens.Secret) *tokens.Client {
	return &tokens.Client{
		ID:          id,
		Secret:      func() (tokens.Secret, error) { return secret, nil },
		AuthURL:     server.URL + "/auth",
		TokenURL:    server.URL + "/oauth/token",
		RedirectURL: redirectURL,
		Scopes:      []string{"openid", "offline_access"}, // the second asks for a refresh token
		HTTP:        server.Client(),
	}
}

func sourceOf(t *testing.T, client *tokens.Client) *tokens.Source {
	t.Helper()
	source := &tokens.Source{Name: "x", Store: tokens.FileStore{Dir: t.TempDir()}, Renew: client.Refresh, Matches: client.Matches}
	testkit.NoError(t, source.Load())
	return source
}

// A browser follows redirects as far as the provider's pages go.
type browser struct {
	http.Client
	home string // the provider
}

func newBrowser(t *testing.T, server *httptest.Server) *browser {
	t.Helper()
	jar := testkit.Must(cookiejar.New(nil))(t)
	b := &browser{Client: *server.Client(), home: server.URL}
	b.Jar = jar
	b.CheckRedirect = func(next *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(next.URL.String(), b.home) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return b
}

func (b *browser) get(t *testing.T, target string) *http.Response {
	t.Helper()
	resp := testkit.Must(b.Get(target))(t)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func (b *browser) post(t *testing.T, path string, form url.Values) *http.Response {
	t.Helper()
	resp := testkit.Must(b.PostForm(b.home+path, form))(t)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// login signs in where authURL leads and returns what comes after the provider:
// the callback.
func (b *browser) login(t *testing.T, authURL string) *url.URL {
	t.Helper()
	page := b.get(t, authURL)
	id := page.Request.URL.Query().Get("authRequestID")
	resp := b.post(t, "/login/username", url.Values{"id": {id}, "username": {user}, "password": {password}})
	target, err := resp.Location()
	if err != nil {
		t.Fatalf("%s at %s, %v", resp.Status, resp.Request.URL, err)
	}
	return target
}
