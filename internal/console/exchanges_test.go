package console

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
)

// inspecting is a desk that remembers exchanges.
func inspecting(t *testing.T) *desk {
	t.Helper()
	d := start(t, setup{})
	d.Exchanges = capture.New(capture.Options{})
	return d
}

// A told is an exchange as a test tells it to the recorder.
type told struct {
	route, method, target    string
	request, response        string // bodies
	requestHead              []capture.Field
	answerHead               exchange.FieldList
	status                   int
	requestOpen, requestOnly bool
	facts                    exchange.Facts
}

func (d *desk) remember(x told) (*capture.Exchange, uint64) {
	request := capture.Request{
		Began: time.Now(), Route: x.route, Method: x.method, Scheme: "http", Host: "localhost:9744",
		Target: x.target, Proto: "HTTP/1.1", Header: x.requestHead,
	}
	e := d.Exchanges.Begin(request)
	e.RequestData([]byte(x.request))
	if x.requestOpen {
		return e, e.ID()
	}
	e.RequestEnd(nil, nil)
	if x.requestOnly {
		return e, e.ID()
	}
	e.Response(head(x.status, "HTTP/2.0"), x.answerHead)
	e.ResponseData([]byte(x.response))
	x.facts.Upstream.Proto = "HTTP/2.0"
	e.End(x.facts, nil)
	return e, e.ID()
}

func (d *desk) listed(query string) (ids []uint64, list api.Exchanges) {
	d.t.Helper()
	a := d.ask("GET", "/api/exchanges"+query)
	want(d.t, a, 200)
	list = decode[api.Exchanges](d.t, a)
	for _, s := range list.Exchanges {
		ids = append(ids, s.ID)
	}
	return ids, list
}

func TestExchangesAreListedAndFiltered(t *testing.T) {
	d := inspecting(t)
	want(t, d.ask("GET", "/api/exchanges"), 200, `"exchanges": []`, `"paused": false`, `"dropped": 0`)
	d.remember(told{route: "avs", method: "GET", target: "/ping", status: 204})
	d.remember(told{route: "avs", method: "POST", target: "/v20160207/events", status: 403, facts: exchange.Facts{Decision: "injected"}})
	d.remember(told{route: "plain", method: "GET", target: "/Pictures?of=cats", status: 200, answerHead: testkit.Fields("Content-Type", "image/png")})
	d.remember(told{route: "plain", method: "GET", target: "/cut", status: 200, facts: exchange.Facts{Ended: "the client hung up"}})
	d.remember(told{route: "plain", method: "GET", target: "/open", requestOnly: true})
	d.remember(told{route: "avs", method: "GET", target: "/down", status: 502, facts: exchange.Facts{Error: "upstream_unreachable"}})
	for query, want := range map[string][]uint64{
		"":                           {1, 2, 3, 4, 5, 6},
		"?route=plain":               {3, 4, 5},
		"?route=other":               nil,
		"?status=4xx":                {2},
		"?status=4XX":                {2},
		"?status=204":                {1},
		"?status=2xx&route=plain":    {3, 4},
		"?method=post":               {2},
		"?text=PICTURES":             {3},
		"?text=image/png":            {3},
		"?text=hung+up":              {4},
		"?text=upstream_unreachable": {6},
		"?errors=1":                  {2, 4, 6},
		"?errors=0&limit=9":          {1, 2, 3, 4, 5, 6},
		"?limit=2":                   {5, 6},
		"?after=4":                   {5, 6},
		"?after=2&limit=1&status=":   {6},
		"?errors=1&route=avs":        {2, 6},
	} {
		if got, _ := d.listed(query); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q lists %v, want %v", query, got, want)
		}
	}
	for _, query := range []string{"?status=4x", "?status=teapot", "?status=9xx", "?after=-1", "?limit=0", "?limit=x", "?errors=maybe"} {
		want(t, d.ask("GET", "/api/exchanges"+query), 400, `"code": "bad_filter"`, "errors=1")
		want(t, d.ask("GET", "/har"+query), 400)
	}
}

func fields(pairs ...string) []capture.Field { return capture.Fields(testkit.Fields(pairs...)) }

func TestExchangeDetailIsComplete(t *testing.T) {
	d := inspecting(t)
	d.remember(told{
		route: "avs", method: "POST", target: "/x", request: "hello", response: "<script>alert(1)</script>", status: 200,
		requestHead: fields("X-A", "1", "X-A", "2"), answerHead: testkit.Fields("Content-Type", "text/html"),
		facts: exchange.Facts{Decision: "injected", Credential: "alexa", Tries: 2},
	})
	a := d.ask("GET", "/api/exchanges/1")
	want(t, a, 200, `"state": "done"`, `"decision": "injected"`, `"credential": "alexa"`, `"findings": []`, `"complete": true`)
	var record struct {
		Request struct {
			Headers [][2]string
			Body    struct{ Size, Kept int }
		}
	}
	testkit.NoError(t, json.Unmarshal([]byte(a.text), &record))
	if got := fmt.Sprint(record.Request.Headers); got != "[[X-A 1] [X-A 2]]" || record.Request.Body.Size != 5 {
		t.Errorf("%+v", record)
	}
	for _, path := range []string{"/api/exchanges/2", "/api/exchanges/0", "/api/exchanges/x", "/api/exchanges/-1", "/har?id=2", "/har?id=x"} {
		want(t, d.ask("GET", path), 404, `"code": "unknown_exchange"`, "[capture]")
	}
}

// What the bodies hold must do nothing on our origin, opened as a page or embedded.
func TestHostileBodiesAreHarmless(t *testing.T) {
	d := inspecting(t)
	page := "<html><script>fetch('/api/status')</script>\x00\x1b[2J"
	d.remember(told{
		method: "POST", target: "/\x1b]0;x\a<b>", request: page, response: page, status: 200,
		requestHead: fields("Content-Type", "text/html", "X-\u202eName", "\x1b[31mred\r\nSet-Cookie: a=b"),
		answerHead:  testkit.Fields("Content-Type", "text/html; charset=utf-8", "Content-Disposition", "inline", "Content-Security-Policy", "default-src *"),
	})
	for _, path := range []string{"/api/exchanges/1/request/body", "/api/exchanges/1/response/body", "/api/exchanges/1/response/body?plain=1"} {
		a := d.ask("GET", path)
		want(t, a, 200)
		wantSecure(t, a)
		if a.text != page {
			t.Errorf("%s: %q", path, a.text)
		}
		wantInert(t, a, "application/octet-stream")
		if !strings.HasPrefix(a.Header.Get("Content-Disposition"), `attachment; filename="body-1-`) {
			t.Errorf("%s: %v", path, a.Header)
		}
	}
	for _, path := range []string{"/api/exchanges", "/api/exchanges/1", "/har"} {
		a := d.ask("GET", path)
		want(t, a, 200)
		if strings.ContainsAny(a.text, "\x00\x1b\a<") && path != "/har" {
			t.Errorf("%s shows them as they are: %q", path, a.text)
		}
		if a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", path, a.Header)
		}
	}
	want(t, d.ask("GET", "/api/exchanges/1/neither/body"), 404, "unknown_side")
}

func wantInert(t *testing.T, a answer, contentType string) {
	t.Helper()
	if a.Header.Get("Content-Type") != contentType || !strings.HasPrefix(a.Header.Get("Content-Security-Policy"), "sandbox; ") {
		t.Errorf("%s: %v", a.Request.URL, a.Header)
	}
}

func TestClearAndPause(t *testing.T) {
	d := inspecting(t)
	d.remember(told{method: "GET", target: "/a", status: 200})
	want(t, d.ask("DELETE", "/api/exchanges", "Origin: "+d.url, "Sec-Fetch-Site: same-origin"), 204)
	if ids, _ := d.listed(""); ids != nil {
		t.Errorf("after clearing: %v", ids)
	}
	want(t, d.send("POST", d.url+"/api/capture", `{"paused": true}`), 200, `"paused": true`)
	if x, _ := d.remember(told{method: "GET", target: "/b", status: 200}); x != nil {
		t.Error("it records while it is paused")
	}
	if _, list := d.listed(""); !list.Paused {
		t.Error("the list does not say that it is paused")
	}
	want(t, d.send("POST", d.url+"/api/capture", `{"paused": false}`), 200)
	d.remember(told{method: "GET", target: "/c", status: 200})
	if ids, _ := d.listed(""); len(ids) != 1 {
		t.Errorf("after the pause: %v", ids)
	}
	for _, body := range []string{"", "{}", "true", `{"paused": "yes"}`, strings.Repeat(" ", 2000) + `{"paused": true}`} {
		want(t, d.send("POST", d.url+"/api/capture", body), 400)
	}
	if d.Exchanges.Paused() {
		t.Error("a bad request paused it")
	}
}

func TestCaptureThatIsOffSaysSo(t *testing.T) {
	d := start(t, setup{})
	for _, path := range []string{"/api/exchanges", "/api/exchanges/1", "/api/exchanges/1/request/body", "/api/exchanges/1/response/parts", "/api/events", "/har"} {
		want(t, d.ask("GET", path), 404, "capture_off", "enabled = true in [capture]")
	}
	for _, path := range []string{"/api/capture", "/api/exchanges/1/replay"} {
		want(t, d.ask("POST", path), 404, "capture_off")
	}
	want(t, d.ask("DELETE", "/api/exchanges"), 404, "capture_off")
}

// The marks are those that Chromium, Firefox and Safari send.
func TestOnlyOurOwnPageSeesTheTraffic(t *testing.T) {
	d := inspecting(t)
	d.remember(told{method: "GET", target: "/a", status: 200})
	d.Ended = closed()
	marks := func(site, mode, dest string, more ...string) []string {
		return append([]string{"Sec-Fetch-Site: " + site, "Sec-Fetch-Mode: " + mode, "Sec-Fetch-Dest: " + dest}, more...)
	}
	evil := "Origin: https://evil.example"
	reads := []string{"/api/exchanges", "/api/exchanges/1", "/api/exchanges/1/request/body", "/api/exchanges/1/request/parts", "/api/events", "/har", "/api/explain?url=/"}
	ours := map[string][]string{
		"fetch":       marks("same-origin", "cors", "empty"),
		"EventSource": marks("same-origin", "cors", "empty", "Accept: text/event-stream", "Cache-Control: no-cache"),
		"audio":       marks("same-origin", "no-cors", "audio", "Range: bytes=0-"),
		"download":    marks("same-origin", "navigate", "document", "Sec-Fetch-User: ?1"),
		"typed":       marks("none", "navigate", "document"),
		"a program":   nil,
	}
	foreign := map[string][]string{
		"fetch":              marks("cross-site", "cors", "empty", evil),
		"fetch without CORS": marks("cross-site", "no-cors", "empty"),
		"EventSource":        marks("cross-site", "cors", "empty", evil),
		"audio":              marks("cross-site", "no-cors", "audio"),
		"script":             marks("cross-site", "no-cors", "script"),
		"another port":       marks("same-site", "no-cors", "image"),
		"link":               marks("cross-site", "navigate", "document"),
		"frame":              marks("cross-site", "navigate", "iframe"),
		"old browser":        {evil},
		"sandboxed frame":    marks("cross-site", "cors", "empty", "Origin: null"),
	}
	for _, path := range reads {
		for name, header := range ours {
			if a := d.ask("GET", path, header...); a.StatusCode == 403 || a.StatusCode == 421 {
				t.Errorf("%s by %s: %d", path, name, a.StatusCode)
			}
		}
		for name, header := range foreign {
			if a := d.ask("GET", path, header...); a.StatusCode != 403 {
				t.Errorf("%s by a foreign %s: %d", path, name, a.StatusCode)
			}
		}
	}
	for _, change := range []string{"POST /api/capture", "DELETE /api/exchanges", "POST /api/exchanges/1/replay", "POST /api/tickets"} {
		method, path, _ := strings.Cut(change, " ")
		for name, header := range foreign {
			want(t, d.ask(method, path, header...), 403)
			if t.Failed() {
				t.Fatal(name)
			}
		}
		if a := d.ask(method, path, marks("same-origin", "cors", "empty", "Origin: "+d.url)...); a.StatusCode == 403 {
			t.Errorf("%s by our page: %s", change, a.text)
		}
	}
}

func closed() <-chan struct{} {
	ended := make(chan struct{})
	close(ended)
	return ended
}

func TestExplainIsAskedOfTheProxy(t *testing.T) {
	d := start(t, setup{})
	want(t, d.ask("GET", "/api/explain?url=/ping"), 404, "no_explain")
	d.Explain = func(method, target string) (any, error) {
		if target == "http://[" {
			return nil, fmt.Errorf("that is no URL")
		}
		return map[string]string{"route": "avs", "asked": method + " " + target}, nil
	}
	target := "https://alexa.example/ping?a=b&c=d"
	want(t, d.ask("GET", "/api/explain?method=post&url="+url.QueryEscape(target)), 200, `"asked": "POST https://alexa.example/ping?a=b\u0026c=d"`)
	want(t, d.ask("GET", "/api/explain?url=/ping"), 200, `"asked": "GET /ping"`)
	want(t, d.ask("GET", "/api/explain"), 400, "url is missing")
	want(t, d.ask("GET", "/api/explain?url="+url.QueryEscape("http://[")), 400, "that is no URL")
}

// head is what is known with the head of a response.
func head(status int, proto string) exchange.Facts {
	return exchange.Facts{Status: status, Upstream: exchange.ConnInfo{Proto: proto}}
}
