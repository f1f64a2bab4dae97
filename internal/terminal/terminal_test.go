package terminal

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/capture"
	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestLinesBreakBetweenWords(t *testing.T) {
	for text, want := range map[string]string{
		"short\n":                                "short\n",
		"avsproxy: three four five six\n":        "avsproxy: three four\n  five six\n",
		"one two three four five six\n":          "one two three four\nfive six\n",
		"  one two three four five\n":            "  one two three four\n    five\n",
		"a-word-that-is-wider-than-it b\n":       "a-word-that-is-wider-than-it\nb\n",
		"run 'avsproxy login x y' now\n":         "run\n'avsproxy login x y'\nnow\n",
		"it's one two three four five\n":         "it's one two three\nfour five\n",
		"\x1b[32mone\x1b[0m two three four\n":    "\x1b[32mone\x1b[0m two three four\n",
		"  curl -i http://localhost:9744/ping\n": "  curl -i http://localhost:9744/ping\n",
		"no end of the line is a prompt here: ":  "no end of the line is a prompt here: ",
	} {
		var out bytes.Buffer
		w := &wrapper{Writer: &out, width: func() int { return 20 }}
		if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
			t.Error(n, err)
		}
		if out.String() != want {
			t.Errorf("%q became %q", text, out.String())
		}
	}
}

func TestLinesThatComeInPieces(t *testing.T) {
	var out bytes.Buffer
	w := &wrapper{Writer: &out, holds: true, width: func() int { return 20 }}
	for _, piece := range []string{"one two", " three four", " five six\nnext", "\n"} {
		w.Write([]byte(piece))
	}
	if out.String() != "one two three four\nfive six\nnext\n" {
		t.Errorf("%q", out.String())
	}
}

func TestUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 20 * time.Microsecond: "<0.1 ms", 2940 * time.Microsecond: "2.9 ms", 9960 * time.Microsecond: "10 ms", 159 * time.Millisecond: "159 ms",
		999600 * time.Microsecond: "1.00 s", 2990 * time.Millisecond: "2.99 s", 3 * time.Second: "3 s", 34600 * time.Millisecond: "35 s", 89 * time.Second: "89 s",
		125 * time.Second: "2 min 5 s", time.Hour: "1 h", 90 * time.Minute: "1 h 30 min", 47 * time.Hour: "47 h", 14 * 24 * time.Hour: "14 days",
	} {
		if got := Wait(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 207: "207 B", 1023: "1023 B", 1024: "1.0 KiB", 1500: "1.5 KiB", 64 << 10: "64 KiB", 1 << 20: "1.0 MiB", 32 << 20: "32 MiB", 5 << 30: "5120 MiB"} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestAnExchangeInOneLine(t *testing.T) {
	s := capture.Summary{
		ID: 12, Route: "avs", Method: "POST", Scheme: "http", Host: "localhost:9744", Target: "/v20160207/events?a=b", Status: 403, State: capture.StateDone,
		TookMS: 12, ResponseBytes: 5, Proto: "HTTP/1.1", Decision: exchange.Refused, Error: "not_allowed", AVS: "A.B", Replayed: true, ReplayOf: 3,
	}
	want := "#12 403 POST /v20160207/events?a=b (A.B)  avs  refused  12 ms  5 B  HTTP/1.1  replay of #3  sent twice: the token was refused and renewed  not_allowed"
	if got := string(AppendExchange(nil, &s, false)); got != want {
		t.Error(got)
	}
	open := capture.Summary{Method: "GET", Scheme: "http", Host: "a.example", Target: "/x\x1b[31m", State: capture.StateActive, Proto: "HTTP/2.0"}
	if got := string(AppendExchange(nil, &open, false)); got != "--- GET http://a.example/x?[31m  open  HTTP/2.0" {
		t.Error(got)
	}
	for status, want := range map[int]string{204: "\x1b[32m204\x1b[0m", 302: "\x1b[36m302\x1b[0m", 404: "\x1b[33m404\x1b[0m", 503: "\x1b[31m503\x1b[0m", 0: "\x1b[31m---\x1b[0m"} {
		if got := string(appendStatus(nil, &capture.Summary{Status: status}, true)); got != want {
			t.Errorf("%d: %q", status, got)
		}
	}
}

// The page and the terminal have the same words for a decision.
func TestDecisionsAreThoseOfThePage(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../console/pages/js/format.js"))
	testkit.NoError(t, err)
	words := map[exchange.Decision]string{}
	_, list, _ := strings.Cut(string(text), "const decisions = {")
	list, _, _ = strings.Cut(list, "}")
	for _, pair := range regexp.MustCompile(`(\w+): "([^"]+)"`).FindAllStringSubmatch(list, -1) {
		words[exchange.Decision(pair[1])] = strings.ReplaceAll(pair[2], "’", "'")
	}
	if len(words) == 0 {
		t.Fatal("the page has no decisions")
	}
	for d, word := range words {
		if DecisionText(d) != word {
			t.Errorf("%s is %q on the page, and %q here", d, word, DecisionText(d))
		}
	}
	if len(words) != len(decisions) {
		t.Errorf("%d on the page, %d here", len(words), len(decisions))
	}
}

func TestColorsAreForTerminals(t *testing.T) {
	for _, env := range []map[string]string{{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}} {
		if HasColors(&bytes.Buffer{}, func(name string) string { return env[name] }) {
			t.Error(env)
		}
	}
}
