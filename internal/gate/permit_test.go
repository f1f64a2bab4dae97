package gate

import (
	"testing"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func FuzzGlob(f *testing.F) {
	f.Add("/a/*/b*", "/a/x/bc")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if got, want := glob(pattern, text), slowGlob(pattern, text); got != want {
			t.Fatalf("glob(%q, %q) = %v", pattern, text, got)
		}
	})
}

// slowGlob is the definition of glob, by dynamic programming.
func slowGlob(pattern, text string) bool {
	match := make([]bool, len(text)+1)
	match[0] = true
	for _, p := range []byte(pattern) {
		next := make([]bool, len(text)+1)
		for i := range next {
			if p == '*' {
				next[i] = match[i] || (i > 0 && next[i-1])
			} else {
				next[i] = i > 0 && match[i-1] && text[i-1] == p
			}
		}
		match = next
	}
	return match[len(text)]
}
