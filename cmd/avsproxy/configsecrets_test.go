package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
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
client_key = "c4n4ry-client-key"
[console]
listen = "localhost:0"
[[route]]
name = "plain"
upstream = "UPSTREAM"
ca_file = "ROOTS"
[route.headers]
X-Api-Key = "c4n4ry-api-key"
Authorization = "Basic BASIC"
Cookie = "session=c4n4ry-cookie; theme=dark"
X-Session-Secret = "c4n4ry/with+escapes=="
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
refresh_token = "c4n4ry-refresh-token"
auth_params = { "password" = "c4n4ry-auth-param", "prompt" = "consent-please" }
token_params = { "client_assertion" = "c4n4ry-token-param", "audience" = "the-audience" }
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
token = "c4n4ry-user:c4n4ry-password"
`

var (
	canaries = []string{
		"c4n4ry-client-key", "c4n4ry-api-key", "c4n4ry-cookie", "c4n4ry/with+escapes==", "c4n4ry-file-secret", "c4n4ry-refresh-token",
		"c4n4ry-auth-param", "c4n4ry-token-param", "c4n4ry-user:c4n4ry-password", "c4n4ry-basic:c4n4ry-pass", "c4n4ry-password", "c4n4ry-pass",
	}
	harmless = []string{"not-a-secret", "neither-this", "harmless-client", "consent-please", "the-audience", "dark"}
)

func TestSecretsOfTheConfigurationAreMasked(t *testing.T) {
	told := append(slices.Clone(canaries), base64.StdEncoding.EncodeToString([]byte("c4n4ry-basic:c4n4ry-pass")), base64.StdEncoding.EncodeToString([]byte("c4n4ry-user:c4n4ry-password")))
	proxy := startConfided(t, strings.Join(append(slices.Clone(told), harmless...), "\n"))
	req, _ := http.NewRequestWithContext(t.Context(), "GET", proxy.Proxy[0]+"/all", nil)
	req.Header.Set("Avsproxy-Key", "c4n4ry-client-key")
	resp := testkit.Must(http.DefaultClient.Do(req))(t)
	got := testkit.Body(t, resp)
	if !strings.Contains(got, "c4n4ry-password") {
		t.Fatalf("the client got %s: %s", resp.Status, got)
	}
	record := recordOf(t, proxy, "/all")
	body := fetch(t, fmt.Sprint(proxy.Console, "/api/exchanges/", record.ID, "/response/body"))
	for _, path := range []string{"/api/exchanges", fmt.Sprint("/api/exchanges/", record.ID), fmt.Sprint("/api/exchanges/", record.ID, "/response/body"),
		"/har", "/api/status", "/status", "/login", "/api/explain?url=/x", "/api/explain?url=http://seeded.localhost/", "/metrics"} {
		testkit.NoCanary(t, path, fetch(t, proxy.Console+path))
	}
	for _, text := range harmless {
		if !strings.Contains(body, text) {
			t.Errorf("%s was hidden: %s", text, body)
		}
	}
	testkit.NoCanary(t, "the log", proxy.Stderr.String())
}

// startConfided serves an upstream that answers with text, in its header too.
func startConfided(t *testing.T, text string) *runningProxy {
	t.Helper()
	upstream := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", strings.ReplaceAll(text, "\n", ", "))
		io.WriteString(w, text)
	}), testkit.HTTP1)
	secret := testkit.File(t, "secret", "c4n4ry-file-secret\n")
	return startProxy(t, strings.NewReplacer(
		"UPSTREAM", upstream.URL, "ROOTS", testkit.CertFile(t, upstream), "SECRET", secret,
		"BASIC", base64.StdEncoding.EncodeToString([]byte("c4n4ry-basic:c4n4ry-pass")),
	).Replace(confided))
}
