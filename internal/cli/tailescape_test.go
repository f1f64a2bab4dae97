package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"avsproxy/internal/capture"
)

// What passes through must not speak to the terminal of who watches: neither as a line
// nor as JSON, which may hold DEL, C1 controls (U+009B begins what ESC [ does) and what
// turns the writing around.
func TestTailWritesNoControlCharacters(t *testing.T) {
	const target = "/\u009b31m\u007f\u202e\u2028\u200b\U000e0041é\U0001f600"
	for _, args := range []string{"tail", "tail --json"} {
		r := capture.New(capture.Options{})
		b := startConsole(t, r)
		passes(r, "GET", target, 200)
		c := b.start(t, strings.Fields(args)...)
		line := c.line()
		if strings.ContainsAny(line, "\u009b\u007f\u202e\u2028\u200b\U000e0041") || !strings.Contains(line, "é") {
			t.Errorf("%s: %q", args, line)
		}
		var s capture.Summary
		if strings.HasSuffix(args, "--json") && (json.Unmarshal([]byte(line), &s) != nil || s.Target != target) {
			t.Errorf("%s: %+v", line, s)
		}
		c.stop()
	}
}
