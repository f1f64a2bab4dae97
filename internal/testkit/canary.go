package testkit

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// Canary is part of each secret that a test watches: no output may have it. Its digits
// keep it from being a code such as invalid_grant, which messages quote.
const Canary = "c4n4ry"

// HasCanary reports whether text has [Canary]: as it is, in another case, in
// hexadecimal, in base64, or as fmt writes bytes.
func HasCanary(text string) bool {
	lower := strings.ToLower(text)
	for _, form := range []string{Canary, hex.EncodeToString([]byte(Canary)), fmt.Sprintf("% x", Canary), strings.Trim(fmt.Sprint([]byte(Canary)), "[]")} {
		if strings.Contains(lower, form) {
			return true
		}
	}
	for before := range 3 { // bytes that share a group of base64 with it
		encoded := base64.RawStdEncoding.EncodeToString([]byte("..."[:before] + Canary))
		if strings.Contains(text, encoded[(before*8+5)/6:(before+len(Canary))*8/6]) {
			return true
		}
	}
	return false
}

// NoCanary fails the test for each text that has [Canary]. what says what the texts are.
func NoCanary(t testing.TB, what any, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if HasCanary(text) {
			t.Errorf("%v shows a secret: %s", what, text)
		}
	}
}
