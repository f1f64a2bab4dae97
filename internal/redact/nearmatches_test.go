package redact

import (
	"strings"
	"testing"
)

// The name of a cookie is as good a place for a secret as its value.
func TestNamesOfCookiesAreMasked(t *testing.T) {
	const secret = "canary-of-the-test"
	set := NewPatterns([]string{secret})
	for name, value := range map[string]string{"Cookie": "a=1; " + secret + "=1", "Set-Cookie": secret + "=1; Path=/"} {
		if got, _ := set.Field(name, value); strings.Contains(got, secret) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// BenchmarkNearMatches is what a body costs that is made of what secrets begin with: of
// tokens that all begin as JWTs do, and comes byte by byte or at once.
func BenchmarkNearMatches(b *testing.B) {
	const jwt = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9."
	var secrets []string
	for i := range 14 {
		secrets = append(secrets, jwt+strings.Repeat(string(rune('A'+i)), 1000))
	}
	const size = 16 << 10
	set := NewPatterns(secrets)
	for name, unit := range map[string]string{"beginnings": "eyJh", "heads": jwt, "almost": secrets[0][:len(secrets[0])-1], "names": `"access_token"   "access_token" `} {
		for pieces, n := range map[string]int{"bytewise": 1, "at once": size} {
			body := []byte(strings.Repeat(unit, size/len(unit)))
			b.Run(name+" "+pieces, func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					var m Masker
					for at := 0; at < len(body); at += n {
						m.Add(nil, body[at:min(at+n, len(body))], set)
					}
				}
			})
		}
	}
}
