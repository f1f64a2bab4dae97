package charset

import (
	"strings"
	"testing"
)

func TestPrintableTextStaysOnItsLine(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 256, ""},
		{"plain ü€", 256, "plain ü€"},
		{"a\x1b[31m\r\nb\x00\x7f\t", 256, "a?[31m??b???"},
		{"a\u202eb\u200bc\u2028", 256, "a?b?c?"},
		{"caf\xe9", 256, "caf\ufffd"},
		{"üüü", 3, "üüü"},
		{"üüüü", 3, "üüü…"},
	} {
		if got := PrintableN(c.text, c.limit); got != c.want {
			t.Errorf("%q, at most %d: %q, want %q", c.text, c.limit, got, c.want)
		}
	}
	if got := Printable(strings.Repeat("ü", 300)); got != strings.Repeat("ü", 256)+"…" {
		t.Errorf("a long text became %q", got)
	}
}
