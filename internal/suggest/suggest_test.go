package suggest

import (
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestNearestFindsSmallMistakesOnly(t *testing.T) {
	known := []string{"name", "hosts", "refresh_token", "token", "scopes", "token-503", "rst", "N"}
	for typed, want := range map[string]string{
		"refresh_tokn": "refresh_token", "refesh_tokn": "refresh_token", "host": "hosts", "scope": "scopes", "tokens": "token",
		"Name": "name", "TOKE-503": "token-503", "rts": "", "rs": "rst",
		"nothing": "", "": "", "tk": "", "n": "N", "x": "", strings.Repeat("x", 1<<20): "",
	} {
		if got := Nearest(typed, known); got != want {
			t.Errorf("%.20s: %q, want %q", typed, got, want)
		}
	}
}
