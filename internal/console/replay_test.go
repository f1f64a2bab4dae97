package console

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
)

// replaying is a desk that notes what it is to send again.
func replaying(t *testing.T) (*desk, *[]ReplayRequest) {
	d := inspecting(t)
	var asked []ReplayRequest
	d.Replay = func(_ context.Context, again ReplayRequest) (uint64, error) {
		asked = append(asked, again)
		return 99, nil
	}
	return d, &asked
}

func (d *desk) again(edit string) answer {
	d.t.Helper()
	return d.send("POST", d.url+"/api/exchanges/1/replay", edit)
}

var events = told{
	route: "avs", method: "POST", target: "/v20160207/events?x=1", request: "the body", status: 204,
	requestHead: fields("Content-Type", "multipart/form-data; boundary=b", "Content-Length", "8", "Connection", "close, X-Hop", "x-hop", "1",
		"Expect", "100-continue", "X-A", "1", "X-A", "2", "Authorization", "Bearer ***", "Transfer-Encoding", "chunked", "TE", "trailers"),
}

func TestReplaySendsTheRequestUnchanged(t *testing.T) {
	d, asked := replaying(t)
	d.remember(events)
	for _, edit := range []string{"", "{}"} {
		if a := d.again(edit); a.StatusCode != 202 || !strings.Contains(a.text, `"id": 99`) {
			t.Errorf("%d %s", a.StatusCode, a.text)
		}
	}
	const want = `1 avs POST http://localhost:9744/v20160207/events?x=1 [["Content-Type" "multipart/form-data; boundary=b"] ["X-A" "1"] ["X-A" "2"]] "the body"`
	for _, again := range *asked {
		if got := inOneLine(again); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if len(*asked) != 2 {
		t.Errorf("%d replays", len(*asked))
	}
}

func inOneLine(a ReplayRequest) string {
	fields := [][2]string{}
	for _, f := range a.Header {
		fields = append(fields, [2]string{f.Name, f.Value})
	}
	return fmt.Sprintf("%d %s %s %s://%s%s %q %q", a.Of, a.Route, a.Method, a.Scheme, a.Host, a.Target, fields, a.Body)
}

func TestReplayIsEdited(t *testing.T) {
	d, asked := replaying(t)
	d.remember(events)
	want(t, d.again(`{"method": "PUT", "target": "/other?y=%0a", "headers": [["X-B", "1"], ["Host", "evil.example"], ["x-b", "2"], [":path", "/"]], "body_base64": "AAEC"}`), 202)
	want(t, d.again(`{"headers": [], "body_base64": ""}`), 202)
	for i, want := range []string{
		`1 avs PUT http://localhost:9744/other?y=%0a [["X-B" "1"] ["x-b" "2"]] "\x00\x01\x02"`,
		`1 avs POST http://localhost:9744/v20160207/events?x=1 [] ""`,
	} {
		if got := inOneLine((*asked)[i]); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestWhatMustNotBeSentIsRefused(t *testing.T) {
	d, asked := replaying(t)
	d.remember(events)
	for name, edit := range map[string]string{
		"no JSON":                    `method=PUT`,
		"an unknown member":          `{"url": "http://evil.example"}`,
		"an empty method":            `{"method": ""}`,
		"a method with a space":      `{"method": "GET /x"}`,
		"a method with a line end":   `{"method": "GET\r\n"}`,
		"CONNECT":                    `{"method": "CONNECT"}`,
		"TRACE":                      `{"method": "TRACE"}`,
		"an absolute target":         `{"target": "http://evil.example/"}`,
		"an empty target":            `{"target": ""}`,
		"a star":                     `{"target": "*"}`,
		"a target with a line end":   `{"target": "/\r\nX-A: 1"}`,
		"a target with a NUL":        `{"target": "/\u0000"}`,
		"a target with a space":      `{"target": "/a b"}`,
		"a target with raw UTF-8":    `{"target": "/ü"}`,
		"a target with a fragment":   `{"target": "/a#b"}`,
		"a header with a line end":   `{"headers": [["X-A", "1\r\nX-B: 2"]]}`,
		"a header with a NUL":        `{"headers": [["X-A", "\u0000"]]}`,
		"a name with a space":        `{"headers": [["X A", "1"]]}`,
		"a name with a line end":     `{"headers": [["X-A\r\n", "1"]]}`,
		"no name":                    `{"headers": [["", "1"]]}`,
		"a body that is not base64":  `{"body_base64": "***"}`,
		"a body beyond 16 MiB":       `{"body_base64": "` + base64.StdEncoding.EncodeToString(make([]byte, maxReplayBody+1)) + `"}`,
		"an edit that does not stop": `{"body_base64": "` + strings.Repeat("A", maxReplayBody*2),
	} {
		if a := d.again(edit); a.StatusCode != 400 {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.text)
		}
	}
	if len(*asked) != 0 {
		t.Errorf("sent all the same: %d", len(*asked))
	}
	want(t, d.again(`{"body_base64": "`+base64.StdEncoding.EncodeToString(make([]byte, maxReplayBody))+`"}`), 202)
}

func TestABodyThatWasNotKeptIsNotSentAgain(t *testing.T) {
	for name, x := range map[string]told{
		"too long":          {method: "POST", target: "/", request: strings.Repeat("x", 100_000), status: 200},
		"still on its way":  {method: "POST", target: "/", request: "x", requestOpen: true},
		"nothing of it yet": {method: "POST", target: "/", requestOpen: true},
	} {
		t.Run(name, func(t *testing.T) {
			d, asked := replaying(t)
			d.remember(x)
			want(t, d.again(""), 409, "body_not_whole", "body_base64")
			if len(*asked) != 0 {
				t.Error("sent all the same")
			}
			want(t, d.again(`{"body_base64": "eA=="}`), 202)
		})
	}
}

func TestReplayThatIsNotPossibleSaysWhy(t *testing.T) {
	d := inspecting(t)
	want(t, d.again(""), 404, "unknown_exchange")
	d.remember(told{method: "GET", target: "/", status: 200})
	want(t, d.again(""), 404, "no_replay")
	d.Replay = func(context.Context, ReplayRequest) (uint64, error) { return 0, errors.New("the route is gone") }
	want(t, d.again(""), 502, "replay_failed", "the route is gone")
}

func TestABodyWithAMaskedSecretIsNotSentAgain(t *testing.T) {
	_, err := edited(capture.Record{Request: capture.Message{Body: capture.Body{Masked: true, Complete: true, Bytes: []byte("a=***")}}}, api.ReplayEdit{})
	if !errors.Is(err, errBodyNotWhole) {
		t.Error(err)
	}
}
