package main

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

// TestC26_NoSecretInAnyOutput logs in, uses the token, lets it be refused and
// revoked, and then looks for every secret in all that was said.
func TestC26_NoSecretInAnyOutput(t *testing.T) {
	proxy, amazon := startBoth(t)
	code := logIn(t, proxy, amazon)
	secrets := append(storedSecrets(t, proxy), code, sandbox.ClientSecret)

	get(t, proxy.Proxy[0]+"/ping")
	get(t, proxy.Proxy[0]+"/nowhere?access_token="+url.QueryEscape(secrets[0]))
	amazon.ExpireTokens()
	get(t, proxy.Proxy[0]+"/ping")
	get(t, proxy.Proxy[0]+"/ping")
	secrets = append(secrets, storedSecrets(t, proxy)...)
	amazon.ExpireTokens()
	amazon.RevokeGrants()
	get(t, proxy.Proxy[0]+"/ping")
	refused := fetch(t, proxy.Proxy[0]+"/ping")

	said := map[string]string{"stdout": proxy.Stdout.String(), "stderr": proxy.Stderr.String(), "a refusal": refused}
	for _, path := range []string{"/", "/status", "/login", "/metrics", "/api/status", "/readyz", "/api/exchanges", "/har"} {
		said[path] = fetch(t, proxy.Console+path)
	}
	run := testkit.Must(os.ReadFile(filepath.Join(proxy.State, "run.json")))(t)
	said["run.json"] = string(run)
	for place, text := range said {
		for _, secret := range secrets {
			if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
				t.Errorf("%s shows a secret:\n%s", place, text)
			}
		}
	}
}

// logIn does what a browser would and returns the code that went by.
func logIn(t *testing.T, proxy *runningProxy, amazon *sandbox.Sandbox) (code string) {
	t.Helper()
	roots := amazon.Pool()
	own := testkit.Must(os.ReadFile(filepath.Join(proxy.State, "ca.pem")))(t)
	roots.AppendCertsFromPEM(own)
	client := http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true},
		CheckRedirect: func(req *http.Request, _ []*http.Request) error {
			if seen := req.URL.Query().Get("code"); seen != "" {
				code = seen
			}
			return nil
		},
	}
	resp := testkit.Must(client.PostForm(proxy.Console+"/login", nil))(t)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || code == "" {
		t.Fatalf("the login ended with %s, code seen: %t", resp.Status, code != "")
	}
	return code
}

func storedSecrets(t *testing.T, proxy *runningProxy) []string {
	t.Helper()
	text := testkit.Must(os.ReadFile(filepath.Join(proxy.State, "alexa.grant.json")))(t)
	var file struct {
		Grant struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
	}
	err := json.Unmarshal(text, &file)
	grant := file.Grant
	if err != nil || grant.Access == "" || grant.Refresh == "" {
		t.Fatalf("the store has no tokens: %v", err)
	}
	return []string{grant.Access, grant.Refresh}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp := testkit.Must(http.Get(url))(t)
	return testkit.Body(t, resp)
}
