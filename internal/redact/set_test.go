package redact

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A secret that changes while the process runs is masked as it is and as it was.
func TestSetRemembersTheLastValuesOfASecret(t *testing.T) {
	var s Set
	s.Add("constant")
	slot := s.Slot()
	for n := range 2*maxSlotValues + 3 {
		slot.Observe(fmt.Sprint("value-", (n+1)/2))
		slot.Observe("")
	}
	s.Add("later")
	if got := strings.Join(s.Values(), " "); got != "constant value-2 value-3 value-4 value-5 later" {
		t.Error(got)
	}
}

func TestSetAddsNamedSecrets(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        []string
	}{
		{"X-Api-Key", "0123456789", []string{"0123456789"}},
		{"X-Key-Value", "0123456789", []string{"0123456789"}},
		{"client_assertion", "0123456789", []string{"0123456789"}},
		{"X-Api-Key", "short", nil},
		{"Authorization", "Bearer 0123456789", []string{"0123456789"}},
		{"Authorization", "Basic dXNlcjpsb25ncGFzc3dvcmQ=", []string{"dXNlcjpsb25ncGFzc3dvcmQ=", "user:longpassword", "longpassword"}},
		{"Cookie", "a=0123456789; b=1", []string{"0123456789"}},
		{"Accept-Language", "0123456789", nil},
		{"X-Keyspace", "0123456789", nil},
	} {
		var s Set
		s.AddNamed(map[string]string{c.name: c.value})
		if got := s.Values(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %s: %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

func TestNamesThatHoldSecrets(t *testing.T) {
	for _, name := range []string{"Avsproxy-Key", "X-Amz-Security-Token", "CF-Access-Jwt-Assertion", "X-Session", "x-hub-signature", "Cookie", "PASSWORD", "client_secret"} {
		if !HoldsSecret(name) {
			t.Errorf("%s holds a secret", name)
		}
	}
	for _, name := range []string{"", "Idempotency-Key", "sec-websocket-key", "Access-Control-Allow-Credentials", "X-Keyspace", "Authenticate", "X-Auth-Request-Email", "X-OAuth-Scopes"} {
		if HoldsSecret(name) {
			t.Errorf("%s holds no secret", name)
		}
	}
}
