package suggest

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"name", "hosts", "refresh_token", "token", "scopes"}
	for typed, want := range map[string]string{
		"refresh_tokn": "refresh_token", "refesh_tokn": "refresh_token", "Name": "name", "host": "hosts", "scope": "scopes",
		"nothing": "", "": "", "tk": "", "tokens": "token", strings.Repeat("x", 1<<20): "",
	} {
		if got := Nearest(typed, known); got != want {
			t.Errorf("%.20s: %q, want %q", typed, got, want)
		}
	}
}
