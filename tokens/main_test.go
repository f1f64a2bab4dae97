package tokens

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		saveForever(folder)
	}
	if os.Getenv(killAt) != "" {
		renewOnce()
	}
	testkit.Main(m)
}

const (
	redirectURL = "https://localhost:9745/authresponse"
	canary      = testkit.Canary + "-Atzr|must-never-be-seen"
)

// A provider is a token endpoint in memory, so that it also works on fake time.
type provider struct {
	delay time.Duration // how long it thinks
	basic bool          // it takes ID and secret in a header alone

	mu     sync.Mutex
	answer func(call int, form url.Values) (*http.Response, error)
	forms  []url.Values // one per call
}

func (p *provider) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.forms = append(p.forms, form)
	call, answer := len(p.forms), p.answer
	p.mu.Unlock()
	if p.delay > 0 {
		select {
		case <-time.After(p.delay):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	if _, _, ok := req.BasicAuth(); p.basic && !ok {
		return reply(401, jsonType, `{"error":"invalid_client"}`), nil
	}
	return answer(call, form)
}

func (p *provider) calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.forms)
}

func (p *provider) last() url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.forms[len(p.forms)-1]
}

func (p *provider) now(answer func(int, url.Values) (*http.Response, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// rotating answers call N with access-N and refresh-N, good for an hour.
func rotating(call int, _ url.Values) (*http.Response, error) {
	return reply(200, jsonType, fmt.Sprintf(`{"access_token":"access-%d","refresh_token":"refresh-%d","expires_in":3600}`, call, call)), nil
}

const jsonType = "application/json;charset=UTF-8"

// reply makes an answer; extra are further header fields, name and value by turns.
func reply(status int, contentType, body string, extra ...string) *http.Response {
	resp := &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body)),
	}
	for i := 0; i < len(extra); i += 2 {
		resp.Header.Set(extra[i], extra[i+1])
	}
	return resp
}

func always(resp func() (*http.Response, error)) func(int, url.Values) (*http.Response, error) {
	return func(int, url.Values) (*http.Response, error) { return resp() }
}

func answering(status int, contentType, body string, extra ...string) func(int, url.Values) (*http.Response, error) {
	return always(func() (*http.Response, error) { return reply(status, contentType, body, extra...), nil })
}

var errDown = errors.New("the provider is down")

func down(int, url.Values) (*http.Response, error) { return nil, errDown }

// unreachableHost is what a request ends in that was never sent.
func unreachableHost(int, url.Values) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errDown}
}

func newProvider() *provider { return &provider{answer: rotating} }

func (p *provider) client() *Client {
	return &Client{
		ID: "client", TokenURL: "https://provider.test/token", AuthURL: "https://provider.test/authorize",
		DeviceURL: "https://provider.test/device", RevokeURL: "https://provider.test/revoke",
		RedirectURL: redirectURL, Scopes: []string{"alexa:all"},
		Secret: func() (Secret, error) { return canary, nil },
		HTTP:   &http.Client{Transport: p},
	}
}

// stored is a grant obtained an hour ago less the given rest of its life.
func stored(left time.Duration) Grant {
	now := wallNow()
	return Grant{
		Kind: "authorization_code", ClientID: "client", Issuer: "https://provider.test/token",
		Access: "access-0", Refresh: "refresh-0", Scopes: []string{"alexa:all"},
		LoggedIn: now.Add(left - 2*time.Hour), Renewed: now.Add(left - time.Hour), Expiry: now.Add(left),
	}
}

// open is a source as it stands right after the start of a process.
func open(t testing.TB, p *provider, store Store) *Source {
	t.Helper()
	client := p.client()
	source := &Source{Name: "alexa", Kind: "authorization_code", Store: store, Renew: client.Refresh, Matches: client.Matches}
	testkit.NoError(t, source.Load())
	return source
}

// holding is a store with that grant in it.
func holding(t testing.TB, grant Grant) *MemoryStore {
	t.Helper()
	store := &MemoryStore{}
	testkit.NoError(t, store.Save("alexa", grant))
	return store
}

func mustToken(t testing.TB, s *Source) Secret {
	t.Helper()
	token := testkit.Must(s.Token(t.Context()))(t)
	return token.Access
}

// refused is the *Error of a Token call that must fail.
func refused(t testing.TB, s *Source) *Error {
	t.Helper()
	token, err := s.Token(t.Context())
	var e *Error
	if !errors.As(err, &e) || !token.Access.IsZero() {
		t.Fatalf("token %q, error %v", token.Access.Reveal(), err)
	}
	return e
}

func load(t testing.TB, store Store) Grant {
	t.Helper()
	return testkit.Must(store.Load("alexa"))(t)
}

// startAmazon starts a sandbox and makes a client of it.
func startAmazon(t *testing.T, o sandbox.Options) (*sandbox.Sandbox, *Client) {
	t.Helper()
	s := testkit.Must(sandbox.Start(o))(t)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.Pool()}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, &Client{
		ID: sandbox.ClientID, Secret: func() (Secret, error) { return sandbox.ClientSecret, nil },
		DeviceURL: s.LWA() + "/auth/O2/create/codepair",
		AuthURL:   s.LWA() + "/ap/oa", TokenURL: s.LWA() + "/auth/o2/token", RedirectURL: redirectURL,
		Scopes: []string{"alexa:all"}, AuthParams: map[string]string{"scope_data": AlexaScopeData("test_device", "1")},
		HTTP: &http.Client{Transport: transport},
	}
}

func begin(t testing.TB, logins *Logins, source *Source, client *Client) *Login {
	t.Helper()
	return testkit.Must(logins.Begin(t.Context(), source, client))(t)
}

// calledBack is what a browser asks for that comes back with this query.
func calledBack(query url.Values) *url.URL {
	asked, _ := url.Parse(redirectURL)
	asked.RawQuery = query.Encode()
	return asked
}

// consent goes where a login sends the browser and returns the callback's query.
func consent(t testing.TB, login *Login) url.Values {
	t.Helper()
	browser := *login.client.httpClient()
	req := testkit.Must(http.NewRequestWithContext(testkit.Context(t), "GET", login.URL, nil))(t)
	resp := testkit.Must(browser.Do(req))(t)
	resp.Body.Close()
	target, err := url.Parse(resp.Header.Get("Location"))
	if resp.StatusCode != http.StatusFound || err != nil || !strings.HasPrefix(target.String(), redirectURL+"?") {
		t.Fatalf("authorize: %s to %s, %v", resp.Status, target, err)
	}
	return target.Query()
}
