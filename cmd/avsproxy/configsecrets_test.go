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

	"avsproxy/internal/testkit"
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
	resp := testkit.Must(http.DefaultClient.Do(req))(t)
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
	testkit.NoError(t, os.WriteFile(secret, []byte("canary-file-secret\n"), 0o600))
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
