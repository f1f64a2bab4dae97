package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"avsproxy/internal/app"
	"avsproxy/internal/testkit"
)

// allow_users opens the proxy, not the console: not by way of the proxy either, to
// which the callback's listener would answer as to the user it runs as.
func TestC08_TheCallbacksListenerIsNotReachedThroughTheProxy(t *testing.T) {
	needRoot(t)
	port := app.PortOf(testkit.ClosedPort(t))
	proxy := startTunnelling(t, fmt.Sprintf(`
[proxy]
listen = "localhost:0"
allow_users = ["%d"]
[console]
listen = "localhost:0"
[[route]]
name = "api"
upstream = "https://127.0.0.1:1"
credential = "c"
[credential.c]
provider = "oauth2"
grant = "authorization_code"
client_id = "id"
client_secret = "secret"
auth_url = "https://127.0.0.1:1/auth"
token_url = "https://127.0.0.1:1/token"
redirect_url = "http://localhost:%s/callback"
`, friend, port))
	console := "http://127.0.0.1:" + app.PortOf(proxy.Console)
	begun := curlAs(t, 0, "-X", "POST", console+"/api/logins")
	state := regexp.MustCompile(`state=([A-Za-z0-9_-]+)`).FindStringSubmatch(begun)
	if !strings.Contains(begun, port) || state == nil {
		t.Fatal(begun)
	}
	defer curlAs(t, 0, "-L", "http://localhost:"+port+"/callback?error=access_denied&state="+state[1]) // or it waits for ten minutes
	refusedAs(t, "directly", curlAs(t, friend, "http://localhost:"+port+"/api/status"), "root")
	got := curlAs(t, friend, "--noproxy", "", "-x", proxy.Proxy[0], "http://localhost:"+port+"/api/status")
	if strings.Contains(got, `"users"`) {
		t.Errorf("a friend of the proxy's is at the console:\n%.600s", got)
	}
}
