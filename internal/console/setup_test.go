package console

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"avsproxy/internal/api"
	"avsproxy/internal/certs"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

func TestMain(m *testing.M) {
	// A login's timer runs for ten minutes; it holds no goroutine until then.
	testkit.Main(m)
}

// A desk is a console that listens, with a credential at a sandbox's LWA.
type desk struct {
	*Console
	t       *testing.T
	url     string
	source  *tokens.Source
	client  *tokens.Client
	amazon  *sandbox.Sandbox
	browser *http.Client // follows redirects and trusts what it meets
}

type setup struct {
	https bool
	store tokens.Store
	path  string // of the redirect URI; empty = /authresponse
}

func start(t *testing.T, s setup) *desk {
	t.Helper()
	amazon := testkit.Must(sandbox.Start(sandbox.Options{}))(t)
	t.Cleanup(func() { amazon.Close() })
	server := httptest.NewUnstartedServer(nil)
	d := &desk{t: t, amazon: amazon}
	d.url = "http://localhost:" + port(server)
	roots := amazon.Pool()
	if s.https {
		d.url = "https://localhost:" + port(server)
		authority := testkit.Must(certs.New("test"))(t)
		roots.AppendCertsFromPEM(authority.RootPEM())
		server.TLS = authority.ServerConfig()
	}
	d.build(s)
	server.Config.Handler = d.Guarded(nil)
	if s.https {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	d.browser = &http.Client{Transport: transport}
	return d
}

func port(server *httptest.Server) string {
	addr := server.Listener.Addr().String()
	return addr[strings.LastIndexByte(addr, ':')+1:]
}

func (d *desk) build(s setup) {
	if s.path == "" {
		s.path = "/authresponse"
	}
	if s.store == nil {
		s.store = &tokens.MemoryStore{}
	}
	d.client = &tokens.Client{
		ID:          sandbox.ClientID,
		Secret:      func() (tokens.Secret, error) { return sandbox.ClientSecret, nil },
		AuthURL:     d.amazon.LWA() + "/ap/oa",
		TokenURL:    d.amazon.LWA() + "/auth/o2/token",
		RedirectURL: d.url + s.path,
		Scopes:      []string{"alexa:all"},
		AuthParams:  map[string]string{"scope_data": tokens.AlexaScopeData("test_device", "1")},
		HTTP:        &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.amazon.Pool()}, DisableKeepAlives: true}},
	}
	d.source = &tokens.Source{
		Name: "alexa", Kind: "authorization_code", Store: s.store,
		Renew: d.client.Refresh, Matches: d.client.Matches,
	}
	d.Console = &Console{
		Version:     "test",
		Credentials: []Credential{{Source: d.source, Client: d.client}},
		Routes: []Route{
			{Route: api.Route{Name: "avs", Upstream: d.amazon.AVS(), Credential: "alexa"}},
			{Route: api.Route{Name: "plain", Upstream: "https://upstream.example"}},
		},
		Logins:      &tokens.Logins{},
		Metrics:     NewMetrics(),
		Proxy:       []string{"http://127.0.0.1:9744"},
		Try:         "http://localhost:9744/ping",
		Self:        strings.Replace(d.url, "localhost", "127.0.0.1", 1),
		Fingerprint: "AA:BB",
	}
	d.Begin = func(ctx context.Context, c Credential, byDevice bool) (*tokens.Login, error) {
		if byDevice {
			return d.Logins.BeginDevice(ctx, c.Source, c.Client)
		}
		return d.Logins.Begin(ctx, c.Source, c.Client)
	}
	d.source.Outcome = func(outcome tokens.Outcome) { d.Metrics.Refreshed("alexa", outcome) }
	d.Metrics.Credential(d.source)
	for _, route := range d.Routes {
		d.Metrics.Route(route.Name)
	}
}

// answer is what came back, read to its end.
type answer struct {
	*http.Response
	text string
}

// ask sends one request and follows nothing. header is "Name: value" lines.
func (d *desk) ask(method, path string, header ...string) answer {
	d.t.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = d.url + path
	}
	return d.send(method, target, "", header...)
}

func (d *desk) send(method, target, body string, header ...string) answer {
	d.t.Helper()
	req := testkit.Must(http.NewRequestWithContext(context.Background(), method, target, strings.NewReader(body)))(d.t)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			req.Host = value
		} else {
			req.Header.Add(name, value)
		}
	}
	resp := testkit.Must(d.browser.Transport.RoundTrip(req))(d.t)
	return d.read(resp)
}

func (d *desk) read(resp *http.Response) answer {
	d.t.Helper()
	return answer{resp, testkit.Body(d.t, resp)}
}

const formType = "Content-Type: application/x-www-form-urlencoded"

// begin presses the button of the login page and returns where that leads.
func (d *desk) begin() (authorize *url.URL) {
	d.t.Helper()
	a := d.send("POST", d.url+"/login", "credential=alexa", formType, "Origin: "+d.url, "Sec-Fetch-Site: same-origin")
	want(d.t, a, http.StatusSeeOther)
	return testkit.Must(a.Location())(d.t)
}

// consent is the sandbox's answer to the authorization request: the callback.
func (d *desk) consent(authorize *url.URL) (callback string) {
	d.t.Helper()
	a := d.ask("GET", authorize.String())
	want(d.t, a, http.StatusFound)
	return a.Header.Get("Location")
}

// login goes the whole way.
func (d *desk) login() answer {
	d.t.Helper()
	resp := testkit.Must(d.browser.PostForm(d.url+"/login", url.Values{"credential": {"alexa"}}))(d.t)
	return d.read(resp)
}

func want(t *testing.T, a answer, status int, texts ...string) {
	t.Helper()
	name := fmt.Sprintf("%s %s", a.Request.Method, a.Request.URL)
	if a.StatusCode != status {
		t.Errorf("%s: %d, want %d\n%s", name, a.StatusCode, status, a.text)
	}
	for _, text := range texts {
		if !strings.Contains(a.text, text) {
			t.Errorf("%s: the answer lacks %q:\n%s", name, text, a.text)
		}
	}
}
