package main

import (
	"net/http"
	"testing"

	"avsproxy/internal/sandbox"
)

// TestRefusedTokenIsRenewedForTheNextRequest ends the token at the upstream alone,
// as a password change would: the refusal goes through, the next request heals.
func TestRefusedTokenIsRenewedForTheNextRequest(t *testing.T) {
	amazon, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer amazon.Close()
	proxy := startProxy(t, amazonConfig(t, amazon))
	logIn(t, proxy, amazon)
	if status := get(t, proxy.Proxy[0]+"/ping"); status != http.StatusNoContent {
		t.Fatalf("/ping answered %d", status)
	}
	amazon.ExpireTokens()
	first, second := get(t, proxy.Proxy[0]+"/ping"), get(t, proxy.Proxy[0]+"/ping")
	if first != http.StatusForbidden || second != http.StatusNoContent {
		t.Errorf("after the token was refused: %d, then %d; want 403, then 204\n%s", first, second, proxy.Stderr)
	}
}
