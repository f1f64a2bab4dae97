package charset

import "testing"

func TestPrintableTextStaysOnItsLine(t *testing.T) {
	for _, c := range []struct {
		text string
		max  int
		want string
	}{
		{"", 0, ""},
		{"plain ü€", 0, "plain ü€"},
		{"a\x1b[31m\r\nb\x00\x7f\t", 0, "a?[31m??b???"},
		{"a\u202eb\u200bc\u2028", 0, "a?b?c?"},
		{"caf\xe9", 0, "caf\ufffd"},
		{"üüü", 3, "üüü"},
		{"üüüü", 3, "üüü…"},
	} {
		if got := Printable(c.text, c.max); got != c.want {
			t.Errorf("%q, at most %d: %q, want %q", c.text, c.max, got, c.want)
		}
	}
}
