package main

import (
	"net/http"
	"testing"
)

// TestRefusedTokenIsRenewedForTheNextRequest ends the token at the upstream alone,
// as a password change would: the refusal goes through, the next request heals.
func TestRefusedTokenIsRenewedForTheNextRequest(t *testing.T) {
	proxy, amazon := startBoth(t)
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
