package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/capture"
	"avsproxy/internal/exchange"
	"avsproxy/internal/terminal"
	"avsproxy/internal/testkit"
)

// begins records an exchange up to the head of its answer.
func begins(r *capture.Recorder, method, target string, status int, contentType string) *capture.Exchange {
	e := r.Begin(capture.Request{
		Began: time.Now(), Route: "avs", Method: method, Scheme: "http", Host: "localhost:9744", Target: target, Proto: "HTTP/1.1",
		Header: []capture.Field{{Name: "Accept", Value: "*/*"}, {Name: "Authorization", Value: "Bearer secret"}, {Name: "X-One", Value: "1"}},
	})
	e.RequestEnd(nil, nil)
	e.Response(exchange.Facts{Status: status, Lasts: strings.HasPrefix(contentType, "multipart/related"), Upstream: exchange.ConnInfo{Proto: "HTTP/2.0"}}, testkit.Fields("Content-Type", contentType))
	return e
}

func finish(e *capture.Exchange, facts exchange.Facts) {
	e.ResponseData([]byte("hello"))
	facts.Took, facts.Written, facts.Upstream.Proto = 12*time.Millisecond, 5, "HTTP/2.0"
	if facts.Decision == "" {
		facts.Decision = "injected"
	}
	e.End(facts, nil)
}

func passes(r *capture.Recorder, method, target string, status int) {
	finish(begins(r, method, target, status, "text/plain"), exchange.Facts{})
}

func (c *command) wants(text string) {
	c.t.Helper()
	if got := c.line(); !strings.HasSuffix(got, text) {
		c.t.Errorf("%q, want %q", got, text)
	}
}

func TestTailPrintsEachExchangeOnce(t *testing.T) {
	r := capture.New(capture.Options{})
	b := startConsole(t, r)
	passes(r, "GET", "/too/old", 200)
	passes(r, "GET", "/old", 200)
	c := b.start(t, "tail", "-n", "1")
	c.wants(" #2 200 GET /old  avs  token added  12 ms  5 B  HTTP/1.1") // and from then on it hears of all
	finish(begins(r, "POST", "/events", 403, ""), exchange.Facts{Error: "not_allowed", Decision: "refused", Replayed: true})
	c.wants(" #3 403 POST /events  avs  refused  12 ms  5 B  HTTP/1.1  sent twice: the token was refused and renewed  not_allowed")
	finish(begins(r, "GET", "/\x1b[31mred\u202e\u009b", 200, ""), exchange.Facts{Ended: "the client hung up\n"})
	c.wants(" #4 200 GET /?[31mred??  avs  token added  12 ms  5 B  HTTP/1.1  the client hung up?")
	b.server.Listener.Close()
	b.server.CloseClientConnections()
	c.end(terminal.ExitFailed)
	if said := c.stderr.String(); !strings.Contains(said, "has ended\n  hint: start it again") {
		t.Error(said)
	}
}

func TestTailFilters(t *testing.T) {
	for _, args := range []string{"--status 4xx", "--errors", "--text WANTED", "--method put", "--status=404 --route=avs", "status:>=400 wanted", "-- -method:GET", "/wanted/ is:error"} {
		r := capture.New(capture.Options{})
		b := startConsole(t, r)
		passes(r, "PUT", "/wanted/1", 404)
		passes(r, "GET", "/other", 200)
		c := b.start(t, strings.Fields("tail --json "+args)...)
		for _, want := range []string{"/wanted/1", "/wanted/2"} {
			var s capture.Summary
			if err := json.Unmarshal([]byte(c.line()), &s); err != nil || s.Target != want || s.State != "done" {
				t.Errorf("%s: %+v, %v", args, s, err)
			}
			passes(r, "GET", "/other", 200)
			passes(r, "PUT", "/wanted/2", 404)
		}
		c.stop()
	}
}

const downchannelPart = "--b\r\nContent-Type: application/json\r\n\r\n" + `{"directive":{"header":{"namespace":"Speaker","name":"NAME","messageId":"1"},"payload":{}}}` + "\r\n"

func speaks(e *capture.Exchange, name string) {
	e.ResponseData([]byte(strings.Replace(downchannelPart, "NAME", name, 1)))
	e.ResponseData([]byte("--b\r\n"))
}

func TestTailFollowsDownchannels(t *testing.T) {
	r := capture.New(capture.Options{})
	b := startConsole(t, r)
	before := begins(r, "GET", "/v20160207/directives", 200, "multipart/related; boundary=b")
	speaks(before, "TooOld")
	c := b.start(t, "tail")
	c.wants(" #1 200 GET /v20160207/directives  avs  open  HTTP/1.1")
	now := begins(r, "GET", "/v20160207/directives", 200, "multipart/related; boundary=b")
	speaks(now, "First") // before it is followed
	c.wants(" #2 200 GET /v20160207/directives  avs  open  HTTP/1.1")
	c.wants(" #2 <- Speaker.First")
	speaks(now, "Second")
	c.wants(" #2 <- Speaker.Second")
	finish(now, exchange.Facts{Ended: "the upstream ended the connection"})
	c.wants(" #2 200 GET /v20160207/directives  avs  token added  12 ms  282 B  HTTP/1.1  the upstream ended the connection")
	c.stop()
}

func TestTailOfAPausedCapture(t *testing.T) {
	r := capture.New(capture.Options{})
	b := startConsole(t, r)
	passes(r, "GET", "/x", 200)
	r.Pause(true)
	c := b.start(t, "tail")
	c.wants("12 ms  5 B  HTTP/1.1")
	<-c.stderr.Written
	if said := c.stderr.String(); !strings.Contains(said, "capture is paused") {
		t.Error(said)
	}
	c.stop()
}

func TestCommandsThatNeedServeSaySo(t *testing.T) {
	off := startConsole(t, nil)
	gone := startConsole(t, nil)
	gone.server.Close()
	for _, args := range []string{"tail", "har", "replay 1"} {
		c := off.start(t, strings.Fields(args)...)
		c.end(terminal.ExitFailed)
		if said := c.stderr.String(); !strings.Contains(said, "capture is off") || !strings.Contains(said, "hint: set enabled = true") {
			t.Errorf("%s: %s", args, said)
		}
		c = gone.start(t, strings.Fields(args)...)
		c.end(terminal.ExitFailed)
		if said := c.stderr.String(); !strings.Contains(said, "no avsproxy serves from") || !strings.Contains(said, "hint: run 'avsproxy serve' first") {
			t.Errorf("%s: %s", args, said)
		}
	}
	for _, args := range []string{"tail --status 4", "har --status ok", "replay one", "replay", "tail stauts:4", "har is:x", "tail -method:GET"} {
		off.start(t, strings.Fields(args)...).end(terminal.ExitUsage)
	}
}
