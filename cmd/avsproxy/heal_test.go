package main

import (
	"net/http"
	"testing"
)

// TestRefusedTokenIsHealed ends the token at the upstream alone, as a password change
// would: the client does not notice.
func TestRefusedTokenIsHealed(t *testing.T) {
	proxy, amazon := startBoth(t)
	logIn(t, proxy, amazon)
	for range 2 {
		if status := get(t, proxy.Proxy[0]+"/ping"); status != http.StatusNoContent {
			t.Errorf("/ping answered %d\n%s", status, proxy.Stderr)
		}
		amazon.ExpireTokens()
	}
}
