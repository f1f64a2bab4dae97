package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/config"
	"avsproxy/tokens"
)

// confided is what a configuration may hold in confidence besides the tokens, none of
// which was used when the upstream tells all of it: nobody has asked for a token.
const confided = `
[proxy]
listen = "localhost:0"
client_key = "canary-client-key"
[console]
listen = "localhost:0"
[[route]]
name = "plain"
upstream = "UPSTREAM"
ca_file = "ROOTS"
[route.headers]
X-Api-Key = "canary-api-key"
Authorization = "Basic BASIC"
Cookie = "session=canary-cookie; theme=dark"
X-Session-Secret = "canary/with+escapes=="
Accept-Language = "not-a-secret"
X-Keyspace = "neither-this"
[[route]]
name = "seeded"
upstream = "https://127.0.0.1:1"
credential = "seeded"
[credential.seeded]
provider = "oauth2"
grant = "refresh_token"
token_url = "https://127.0.0.1:1/"
client_id = "harmless-client"
refresh_token = "canary-refresh-token"
auth_params = { "password" = "canary-auth-param", "prompt" = "consent-please" }
token_params = { "client_assertion" = "canary-token-param", "audience" = "the-audience" }
[[route]]
name = "asked"
upstream = "https://127.0.0.1:1"
credential = "asked"
[credential.asked]
provider = "oauth2"
auth_url = "https://127.0.0.1:1/"
token_url = "https://127.0.0.1:1/"
client_id = "harmless-client"
client_secret = { file = "SECRET" }
[[route]]
name = "paired"
upstream = "https://127.0.0.1:1"
credential = "paired"
[credential.paired]
grant = "static"
format = "Basic {base64}"
token = "canary-user:canary-password"
`

var (
	canaries = []string{
		"canary-client-key", "canary-api-key", "canary-cookie", "canary/with+escapes==", "canary-file-secret", "canary-refresh-token",
		"canary-auth-param", "canary-token-param", "canary-user:canary-password", "canary-basic:canary-pass", "canary-password", "canary-pass",
	}
	harmless = []string{"not-a-secret", "neither-this", "harmless-client", "consent-please", "the-audience", "dark"}
)

func TestSecretsOfTheConfigurationAreMasked(t *testing.T) {
	told := append(slices.Clone(canaries), base64.StdEncoding.EncodeToString([]byte("canary-basic:canary-pass")), base64.StdEncoding.EncodeToString([]byte("canary-user:canary-password")))
	proxy := startConfided(t, strings.Join(append(slices.Clone(told), harmless...), "\n"))
	req, _ := http.NewRequestWithContext(t.Context(), "GET", proxy.Proxy[0]+"/all", nil)
	req.Header.Set("Avsproxy-Key", "canary-client-key")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(got), "canary-password") {
		t.Fatalf("the client got %s: %s", resp.Status, got)
	}
	record := recordOf(t, proxy, "/all")
	body := fetch(t, fmt.Sprint(proxy.Console, "/api/exchanges/", record.ID, "/response/body"))
	for _, path := range []string{"/api/exchanges", fmt.Sprint("/api/exchanges/", record.ID), fmt.Sprint("/api/exchanges/", record.ID, "/response/body"),
		"/har", "/api/status", "/status", "/login", "/api/explain?url=/x", "/api/explain?url=http://seeded.localhost/", "/metrics"} {
		said := fetch(t, proxy.Console+path)
		for _, secret := range told {
			if strings.Contains(said, secret) {
				t.Errorf("%s shows %s", path, secret)
			}
		}
	}
	for _, text := range harmless {
		if !strings.Contains(body, text) {
			t.Errorf("%s was hidden: %s", text, body)
		}
	}
	if said := proxy.Stderr.String(); strings.Contains(said, "canary") {
		t.Errorf("the log: %s", said)
	}
}

// startConfided serves an upstream that answers with text, in its header too.
func startConfided(t *testing.T, text string) *runningProxy {
	t.Helper()
	upstream := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", strings.ReplaceAll(text, "\n", ", "))
		io.WriteString(w, text)
	}))
	t.Cleanup(upstream.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("canary-file-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return startProxy(t, strings.NewReplacer(
		"UPSTREAM", upstream.URL, "ROOTS", writeRoot(t, upstream), "SECRET", secret,
		"BASIC", base64.StdEncoding.EncodeToString([]byte("canary-basic:canary-pass")),
	).Replace(confided))
}

// writeRoot leaves the certificate of a server for ca_file.
func writeRoot(t *testing.T, upstream *httptest.Server) string {
	t.Helper()
	_, after, _ := strings.Cut(firstByteConfig(t, upstream), `ca_file = "`)
	path, _, _ := strings.Cut(after, `"`)
	return path
}

// However many secrets a configuration has, each of them is hidden; and what the
// environment says of the proxy on the way is one of them.
func TestNoSecretMakesRoomForAnother(t *testing.T) {
	var text strings.Builder
	text.WriteString("[[route]]\nname = \"plain\"\nupstream = \"https://127.0.0.1:1\"\n")
	for i := range 100 {
		fmt.Fprintf(&text, "[credential.c%d]\nprovider = \"oauth2\"\nauth_url = \"https://127.0.0.1:1\"\ntoken_url = \"https://127.0.0.1:1\"\nclient_id = \"c\"\nclient_secret = \"canary-%03d\"\n", i, i)
	}
	env := map[string]string{"HOME": t.TempDir(), "HTTPS_PROXY": "http://me:proxy%2Fpassword@proxy.example:3128"}
	getenv := func(name string) string { return env[name] }
	conf, err := config.Parse("config.toml", []byte(text.String()), getenv)
	if err != nil {
		t.Fatal(err)
	}
	p, err := (&app{getenv: getenv}).build(conf, nil)
	if err != nil {
		t.Fatal(err)
	}
	known := p.secrets()
	for i := range 100 {
		if secret := fmt.Sprintf("canary-%03d", i); !slices.Contains(known, secret) {
			t.Errorf("%s is not hidden", secret)
		}
	}
	for _, secret := range []string{"proxy/password", base64.StdEncoding.EncodeToString([]byte("me:proxy/password"))} {
		if !slices.Contains(known, secret) {
			t.Errorf("%s is not hidden", secret)
		}
	}
}

func TestWrappedSecretsAreKnown(t *testing.T) {
	var s secretSet
	resolve := s.wrap(func() (tokens.Secret, error) { return "value", nil })
	if secret, err := resolve(); err != nil || secret.Reveal() != "value" || !slices.Equal(s.Values(), []string{"value"}) {
		t.Errorf("%v, %v, %q", secret, err, s.Values())
	}
}
