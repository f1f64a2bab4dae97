package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"avsproxy/internal/capture"
	"avsproxy/internal/console"
	"avsproxy/internal/exchange"
	"avsproxy/internal/terminal"
	"avsproxy/internal/testkit"
)

func TestReplayTellsHowItEnded(t *testing.T) {
	r := capture.New(capture.Options{})
	b := startConsole(t, r)
	passes(r, "GET", "/ping", 403)
	var sent console.ReplayRequest
	answer := 200
	b.Replay = func(_ context.Context, again console.ReplayRequest) (uint64, error) {
		sent = again
		e := begins(r, again.Method, again.Target, answer, "")
		go finish(e, exchange.Facts{})
		return e.ID(), nil
	}
	c := b.start(t, "replay", "1")
	c.wants("2")
	c.wants(" #2 200 GET /ping  avs  token added  12 ms  5 B  HTTP/1.1")
	c.end(terminal.ExitDone)
	if said := c.stderr.String(); !strings.Contains(said, "see it at http://localhost:") || !strings.HasSuffix(said, "/#2\n") {
		t.Error(said)
	}
	file := testkit.File(t, "body", "from a file")
	answer = 503
	c = b.start(t, "replay", "#1", "--method", "post", "--target", "/other?x=1", "--header", "accept: text/plain", "--header", "X-One:", "--body", "@"+file)
	c.wants("3")
	c.wants(" #3 503 POST /other?x=1  avs  token added  12 ms  5 B  HTTP/1.1")
	c.end(terminal.ExitFailed)
	fields, _ := json.Marshal(sent.Header)
	if sent.Method != "POST" || sent.Target != "/other?x=1" || string(sent.Body) != "from a file" || string(fields) != `[["accept","text/plain"]]` {
		t.Errorf("%+v, %s", sent, fields)
	}
	answer = 200
	c = b.start(t, "replay", "1", "--body", "-")
	c.wants("4")
	c.wants("5 B  HTTP/1.1")
	c.end(terminal.ExitDone)
	if string(sent.Body) != "from stdin" {
		t.Errorf("%+v", sent)
	}
}

func TestReplayThatIsNotPossibleSaysWhy(t *testing.T) {
	r := capture.New(capture.Options{Body: 2})
	b := startConsole(t, r)
	b.Replay = func(context.Context, console.ReplayRequest) (uint64, error) { t.Error("sent"); return 0, nil }
	e := r.Begin(capture.Request{Method: "POST", Target: "/"})
	e.RequestData([]byte("longer than what is kept"))
	e.RequestEnd(nil, nil)
	finish(e, exchange.Facts{})
	finish(r.Begin(capture.Request{Method: "GET", Target: "/?client_secret=x"}), exchange.Facts{})
	finish(r.Begin(capture.Request{Method: "GET", Target: "/", Header: []capture.Field{{Name: "X-Long", Value: strings.Repeat("x", 40<<10)}}}), exchange.Facts{})
	for args, want := range map[string]string{
		"replay 1":                     "was not kept as it was sent",
		"replay 2":                     "a secret in it was masked",
		"replay 3":                     "headers were too many or too long",
		"replay 3 --header a:b":        "headers were too many or too long",
		"replay 7":                     "no exchange of this ID",
		"replay 7 --header a:b":        "no exchange of this ID",
		"replay 1 --body @missing":     "no such file",
		"har --id 7":                   "no exchange of this ID",
		"replay 1 --body=- --target x": "does not begin with /",
	} {
		c := b.start(t, strings.Fields(args)...)
		c.end(terminal.ExitFailed)
		if said := c.stderr.String(); !strings.Contains(said, want) {
			t.Errorf("%s: %s", args, said)
		}
	}
	for _, args := range []string{"replay 1 --header nocolon", "replay 1 --body text"} {
		b.start(t, strings.Fields(args)...).end(terminal.ExitUsage)
	}
}

func TestHARIsOfWhatIsAskedFor(t *testing.T) {
	r := capture.New(capture.Options{})
	b := startConsole(t, r)
	passes(r, "GET", "/one", 200)
	passes(r, "GET", "/two", 404)
	for args, want := range map[string]string{"har": "/one /two", "har --status 4xx": "/two", "har --id 1": "/one"} {
		c := b.start(t, strings.Fields(args)...)
		var text strings.Builder
		for c.lines.Scan() {
			text.Write(c.lines.Bytes())
		}
		c.end(terminal.ExitDone)
		var har struct {
			Log struct {
				Version string
				Entries []struct{ Request struct{ URL string } }
			}
		}
		if err := json.Unmarshal([]byte(text.String()), &har); err != nil || har.Log.Version != "1.2" {
			t.Errorf("%s: %v, %q", args, err, har.Log.Version)
		}
		var got []string
		for _, entry := range har.Log.Entries {
			got = append(got, strings.TrimPrefix(entry.Request.URL, "http://localhost:9744"))
		}
		if strings.Join(got, " ") != want || strings.Contains(text.String(), "secret") {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}
