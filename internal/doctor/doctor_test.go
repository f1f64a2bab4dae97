package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/durable"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// finds compares the first finding that is not good with what is wanted: "LEVEL: text", empty = all are good.
func finds(t *testing.T, all []Finding, want string) {
	t.Helper()
	level, text, _ := strings.Cut(want, ": ")
	for _, f := range all {
		switch {
		case f.Level == OK:
		case string(f.Level) == level && strings.Contains(f.Check+" "+f.Seen, text) && f.Next != "":
			return
		default:
			t.Errorf("it finds %+v, not %q", f, want)
			return
		}
	}
	if want != "" {
		t.Errorf("it finds nothing in %+v", all)
	}
}

func load(t *testing.T, text string) (*config.Config, error) {
	t.Helper()
	path := testkit.File(t, "config.toml", []byte(text))
	env := map[string]string{"XDG_STATE_HOME": t.TempDir()}
	return config.Load(path, func(name string) string { return env[name] })
}

const plain = `
[proxy]
listen = "localhost:0"
[console]
listen = "localhost:0"
[[route]]
name = "one"
upstream = "https://one.example"
`

func TestConfigurations(t *testing.T) {
	for text, want := range map[string]string{
		"colour = 1\n" + plain: "fail: configuration",
		plain + "credential = \"x\"\n[credential.x]\ngrant = \"static\"\ntoken = { file = \"/nowhere/at/all\" }\n": "fail: credential.x.token",
	} {
		_, err := load(t, text)
		finds(t, BadConfiguration(err, "do something"), want)
	}
	conf := testkit.Must(load(t, plain))(t)
	finds(t, Configuration(conf, time.Time{}), "")
	finds(t, Configuration(conf, time.Now().Add(time.Hour)), "")
	finds(t, Configuration(conf, time.Now().Add(-time.Hour)), "warn: it was edited since")
	withSecret := testkit.Must(load(t, plain+"credential = \"x\"\n[credential.x]\ngrant = \"static\"\ntoken = \"abc\"\n"))(t)
	finds(t, SecretFiles(withSecret), "")
	testkit.NoError(t, os.Chmod(withSecret.File, 0o644))
	finds(t, SecretFiles(withSecret), "warn: others can read")
	testkit.NoError(t, os.Remove(conf.File))
	finds(t, Configuration(conf, time.Time{}), "fail: no such file")
}

func TestStores(t *testing.T) {
	conf := testkit.Must(load(t, plain))(t)
	finds(t, Store(t.Context(), conf), "") // there is none yet
	testkit.NoError(t, durable.MkdirPrivate(conf.Store.Path))
	finds(t, Store(t.Context(), conf), "")
	testkit.NoError(t, os.Chmod(conf.Store.Path, 0o755))
	finds(t, Store(t.Context(), conf), "warn: can look into")
	testkit.NoError(t, os.Chmod(conf.Store.Path, 0o770))
	finds(t, Store(t.Context(), conf), "fail: can change what is in")
	testkit.NoError(t, os.Chmod(conf.Store.Path, 0o700))
	unlock := testkit.Must(durable.Lock(t.Context(), filepath.Join(conf.Store.Path, "one.lock"), nil))(t)
	finds(t, Store(t.Context(), conf), "fail: another process holds")
	unlock()
	file := filepath.Join(t.TempDir(), "file")
	testkit.NoError(t, os.WriteFile(file, nil, 0o600))
	conf.Store.Path = file
	finds(t, Store(t.Context(), conf), "fail: is not a folder")
	conf.Store.Path = ""
	finds(t, Store(t.Context(), conf), "")
}

func TestKeyringThatIsAway(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "nobody"))
	finds(t, []Finding{keyringAnswers(t.Context())}, "fail: keyring")
}

func TestMachine(t *testing.T) {
	finds(t, families(func(network, address string) (net.Listener, error) {
		if address == "[::1]:0" {
			return nil, syscall.EADDRNOTAVAIL
		}
		return net.Listen(network, address)
	}), "warn: this machine has no ::1")

	conf := testkit.Must(load(t, plain+"[[route]]\nname = \"no-such-name\"\nupstream = \"https://two.example\"\n"))(t)
	names := Names(t.Context(), conf)
	if names[0].Level == OK { // the system knows all such names
		finds(t, names, "")
	} else {
		finds(t, names, "warn: no-such-name.localhost does not resolve")
	}
	conf.Routes[1].Listen = []string{"localhost:0"}
	finds(t, Names(t.Context(), conf), "")

	finds(t, Ports(t.Context(), conf, 0), "")
	ln := testkit.Listen(t)
	conf.Routes[1].Listen = []string{ln.Addr().String()}
	finds(t, Ports(t.Context(), conf, 0), "fail: port "+ln.Addr().String())
	finds(t, Ports(t.Context(), conf, os.Getpid()), "")

	for env, want := range map[string]string{
		"":                               "",
		"http_proxy=http://corp:3128":    "warn: http_proxy leads requests to localhost round",
		"HTTP_PROXY=http://127.0.0.1:97": "",
		"ALL_PROXY=socks5://corp:1080":   "warn: ALL_PROXY leads",
		"http_proxy=http://corp:3128 no_proxy=x,localhost": "",
	} {
		set := map[string]string{}
		for _, entry := range strings.Fields(env) {
			name, value, _ := strings.Cut(entry, "=")
			set[name] = value
		}
		finds(t, ProxyVariables(func(name string) string { return set[name] }, []string{"127.0.0.1:97"}), want)
	}
	finds(t, []Finding{Files(256)}, "warn: only 256")
	finds(t, []Finding{Files(4096)}, "")
}

// expired returns a certificate for localhost that ended an hour ago, and its root.
func expired(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key := testkit.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
	}
	raw := testkit.Must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))(t)
	pool := x509.NewCertPool()
	pool.AddCert(testkit.Must(x509.ParseCertificate(raw))(t))
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pool
}

func TestUpstreams(t *testing.T) {
	discard := log.New(io.Discard, "", 0)
	serve := func(http2 bool, cert *tls.Certificate, handler http.HandlerFunc) (*url.URL, *x509.CertPool) {
		server := httptest.NewUnstartedServer(handler)
		server.EnableHTTP2, server.Config.ErrorLog = http2, discard
		if cert != nil {
			server.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}}
		}
		server.StartTLS()
		t.Cleanup(server.Close)
		return testkit.Must(url.Parse(server.URL))(t), testkit.Pool(server)
	}
	quiet := func(http.ResponseWriter, *http.Request) {}
	late := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
	}
	ended, endedRoots := expired(t)
	good, roots := serve(true, nil, quiet)
	old, oldRoots := serve(false, nil, quiet)
	slow, slowRoots := serve(true, nil, late)
	over, _ := serve(true, &ended, quiet)
	for want, u := range map[string]Upstream{
		"":                                      {Origin: good, Roots: roots},
		"fail: authority that is not trusted":   {Origin: good},
		"fail: does not speak HTTP/2":           {Origin: old, Roots: oldRoots, SingleConnection: true},
		"fail: clock is 10m":                    {Origin: slow, Roots: slowRoots},
		"fail: is valid from":                   {Origin: over, Roots: endedRoots},
		"fail: name could not be resolved":      {Origin: &url.URL{Scheme: "https", Host: "nowhere.invalid"}},
		"fail: the connection was refused":      {Origin: &url.URL{Scheme: "https", Host: "127.0.0.1:1"}},
		"fail: its certificate is for another ": {Origin: &url.URL{Scheme: "https", Host: "localhost:" + good.Port()}, Roots: roots},
	} {
		u.Route = "one"
		finds(t, Upstreams(t.Context(), []Upstream{u}), want)
	}
	finds(t, Upstreams(t.Context(), []Upstream{{Route: "one", Origin: old, Roots: oldRoots}}), "")
}

// provider is one that knows a client with this secret, redirect URL, and the scope read.
func provider(t *testing.T, secret, redirect string) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/nothing":
			http.NotFound(w, r)
		case r.URL.Path == "/away":
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/robots":
			w.WriteHeader(http.StatusBadRequest)
			w.Write([]byte(`{"error":"unauthorized_client"}`))
		case r.URL.Path == "/token" && r.FormValue("client_secret") != secret:
			w.WriteHeader(http.StatusUnauthorized)
			w.Write([]byte(`{"error":"invalid_client"}`))
		case r.URL.Path == "/token":
			w.WriteHeader(http.StatusBadRequest)
			w.Write([]byte(`{"error":"invalid_grant"}`))
		case r.FormValue("redirect_uri") != redirect:
			w.WriteHeader(http.StatusBadRequest)
		case r.FormValue("scope") != "read":
			http.Redirect(w, r, redirect+"?error=invalid_scope", http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestProviders(t *testing.T) {
	server := provider(t, "right", "https://localhost/cb")
	client := func(change func(*tokens.Client)) *tokens.Client {
		c := &tokens.Client{
			ID: "me", AuthURL: server.URL + "/auth", TokenURL: server.URL + "/token", RedirectURL: "https://localhost/cb", Scopes: []string{"read"},
			Secret: func() (tokens.Secret, error) { return "right", nil }, HTTP: server.Client(),
		}
		change(c)
		return c
	}
	for want, change := range map[string]func(*tokens.Client){
		"": func(*tokens.Client) {},
		"fail: does not accept this client's ID or secret (invalid_client)": func(c *tokens.Client) { c.Secret = func() (tokens.Secret, error) { return "wrong", nil } },
		"fail: does not allow this client to use this grant":                func(c *tokens.Client) { c.TokenURL = server.URL + "/robots" },
		"fail: answers with 404, and names no error":                        func(c *tokens.Client) { c.TokenURL = server.URL + "/nothing" },
		"fail: the provider is in trouble (503)":                            func(c *tokens.Client) { c.TokenURL = server.URL + "/away" },
		"fail: answers the beginning of a login with 400":                   func(c *tokens.Client) { c.RedirectURL = "https://localhost/other" },
		"fail: configured scopes to this client (invalid_scope)":            func(c *tokens.Client) { c.Scopes = []string{"write"} },
		"fail: could not be used":                                           func(c *tokens.Client) { c.TokenURL = "https://127.0.0.1:1/token" },
	} {
		all := Providers(t.Context(), []Provider{{"me", "authorization_code", client(change)}})
		finds(t, all, want)
		for _, f := range all {
			if strings.Contains(f.Seen+f.Next, "wrong") || strings.Contains(f.Seen+f.Next, "right") {
				t.Errorf("a secret is in %+v", f)
			}
		}
	}
	robot := client(func(c *tokens.Client) { c.TokenURL, c.RedirectURL = server.URL+"/robots", "https://localhost/other" })
	finds(t, Providers(t.Context(), []Provider{{"me", "client_credentials", robot}}), "") // nobody logs in there
}

func TestCredentials(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	for want, c := range map[string]api.CredentialStatus{
		"":                            {State: tokens.StateReady},
		"fail: a login is needed":     {State: tokens.StateLoginNeeded, Login: true},
		"fail: the provider is away":  {State: tokens.StateFailing, Problem: &api.Error{Message: "the provider is away", Hint: "wait"}},
		"warn: not granted: write":    {State: tokens.StateReady, Asked: []string{"read", "write"}, Scopes: []string{"read"}},
		"warn: the login ends":        {State: tokens.StateReady, EndsAt: &soon},
		"fail: clock is 10m0s behind": {State: tokens.StateReady, ClockAhead: -600},
	} {
		c.Name = "me"
		finds(t, Credentials(&api.Status{Credentials: []api.CredentialStatus{c}}, func(string) string { return "avsproxy login" }), want)
	}
}

func TestAuthorities(t *testing.T) {
	root := testkit.TLSServer(t, nil).Certificate()
	finds(t, []Finding{Authority("ca.pem", nil, os.ErrNotExist)}, "")
	finds(t, []Finding{Authority("ca.pem", nil, errors.New("ca.pem is not a certificate"))}, "fail: is not a certificate")
	finds(t, []Finding{Authority("ca.pem", root, nil)}, "warn: the system does not trust")
	ended := *root
	ended.NotAfter = time.Now().Add(-time.Hour)
	finds(t, []Finding{Authority("ca.pem", &ended, nil)}, "fail: the authority ended")
}
