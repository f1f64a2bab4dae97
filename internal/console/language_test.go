package console

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/breakpoint"
	"avsproxy/internal/capture"
	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
	"avsproxy/internal/websocket"

	"github.com/google/go-cmp/cmp"
)

func TestMatchingIsTheFiltersWord(t *testing.T) {
	d := start(t, setup{})
	d.Exchanges = capture.New(capture.Options{})
	for _, turn := range day(t) {
		d.pass(turn)
	}
	own := d.Exchanges.Begin(capture.Request{Own: capture.OwnRenewal, Method: "POST", Scheme: "https", Host: "login.example", Target: "/token"})
	own.Response(exchange.Facts{Status: 400}, nil)
	own.End(exchange.Facts{Status: 400, Error: "invalid_grant", Credential: "alexa"}, nil)
	for query, want := range map[string][]uint64{
		"":                                {1, 2, 3, 4, 5, 6, 7, 8, 9},
		"filter=status:>=400":             {5, 7},
		"filter=status:>=400+is:own":      {10},
		"filter=is:own":                   {10},
		"own=1&filter=invalid_grant":      {10},
		"filter=body:pending":             {4},
		"filter=body:pending&of=1,2":      {},
		"filter=method:POST&of=7,9,10,99": {7, 9},
	} {
		var got Matching
		a := d.ask("GET", "/api/matching?"+query)
		testkit.NoError(t, json.Unmarshal([]byte(a.text), &got))
		have := map[uint64]bool{}
		for _, id := range got.IDs {
			have[id] = true
		}
		for _, id := range want {
			if !have[id] {
				t.Errorf("%s: %v, want %v", query, got.IDs, want)
			}
		}
		if len(have) != len(want) {
			t.Errorf("%s: %v, want %v", query, got.IDs, want)
		}
	}
	want(t, d.ask("GET", "/api/matching?filter=stauts:4"), 400, "bad_filter")
	if list := d.ask("GET", "/api/exchanges").text; strings.Contains(list, "login.example") {
		t.Error("a list of traffic has the proxy's own call")
	}
}

func TestMessagesOfBodies(t *testing.T) {
	d := start(t, setup{})
	d.Exchanges = capture.New(capture.Options{})
	pass := func(status int, contentType string, body string) *capture.Exchange {
		e := d.Exchanges.Begin(capture.Request{Method: "GET", Target: "/x", NoBody: true})
		e.Response(exchange.Facts{Status: status}, testkit.Fields("Content-Type", contentType))
		e.ResponseData([]byte(body))
		return e
	}
	pass(200, "text/event-stream", "data: one\n\ndata: two\n\n").End(exchange.Facts{Status: 200}, nil)
	pass(200, "application/grpc+proto", "\x00\x00\x00\x00\x02\x08\x01").End(exchange.Facts{Status: 200}, nil)
	socket := pass(101, "", "")
	socket.Message(true, websocket.Message{Opcode: websocket.Text, Data: []byte("up"), Size: 2})
	socket.Message(false, websocket.Message{Opcode: websocket.Text, Data: []byte("down"), Size: 4})
	socket.End(exchange.Facts{Status: 101}, nil)
	pass(200, "text/plain", "data: no\n\n").End(exchange.Facts{Status: 200}, nil)
	var said []string
	for _, path := range []string{"1/response", "2/response", "3/request", "3/response", "4/response"} {
		var m Messages
		testkit.NoError(t, json.Unmarshal([]byte(d.ask("GET", "/api/exchanges/"+path+"/messages").text), &m))
		text := m.Kind
		for _, e := range m.Events {
			text += " " + e.Data + fmt.Sprint(e.AtMS != nil)
		}
		for _, c := range m.Calls {
			text += fmt.Sprintf(" %d=%s", c.Fields[0].Number, c.Fields[0].Value)
		}
		for _, f := range m.Frames {
			text += " " + f.Text
		}
		said = append(said, text)
	}
	if diff := cmp.Diff([]string{"events onetrue twotrue", "grpc 1=1", "websocket up", "websocket down", ""}, said); diff != "" {
		t.Error(diff)
	}
	want(t, d.ask("GET", "/api/exchanges/9/response/messages"), 404, "unknown_exchange")
}

func TestComposedRequestsGoTheirRoutesWay(t *testing.T) {
	r, asked := replaying(t)
	a := r.send("POST", r.url+"/api/requests?route=plain", `{"method":"put","target":"/x?y=1","headers":[["X-A","1"],["Host","evil"]],"body_base64":"aGk="}`)
	want(t, a, 202)
	if got := (*asked)[len(*asked)-1]; got.Route != "plain" || got.Method != "PUT" || got.Target != "/x?y=1" || string(got.Body) != "hi" || len(got.Header) != 1 || got.Host != "plain.localhost" {
		t.Errorf("%+v", got)
	}
	want(t, r.send("POST", r.url+"/api/requests", `{"target":"no"}`), 400, "bad_request")
	want(t, r.send("POST", r.url+"/api/requests?route=none", `{}`), 404, "unknown_route")
}

func TestBreakpointsOfAPage(t *testing.T) {
	d := start(t, setup{})
	d.Exchanges = capture.New(capture.Options{Secrets: func() []string { return []string{"canary-secret-1"} }})
	d.Points = new(breakpoint.Points)
	want(t, d.ask("GET", "/api/breakpoints?side=both"), 400, "bad_request")
	want(t, d.ask("GET", "/api/breakpoints?side=request&filter=is:x"), 400, "bad_filter")
	resp := testkit.Must(d.browser.Get(d.url + "/api/breakpoints?side=request&filter=method:POST"))(t)
	defer resp.Body.Close()
	testkit.Eventually(t, "the breakpoint", d.Points.Armed)
	held := make(chan *http.Request, 1)
	go func() {
		r, _ := http.NewRequest("POST", "http://localhost/x", strings.NewReader("the canary-secret-1"))
		r.Header.Set("Authorization", "Bearer own")
		r.Header.Set("X-Plain", "1")
		out, _, _ := d.Points.OnRequest(t.Context(), breakpoint.About{Method: "POST", Target: "/x?code=canary-secret-1"}, r)
		held <- out
	}()
	lines := bufio.NewScanner(resp.Body)
	var m HeldMessage
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if strings.Contains(data, "canary") || strings.Contains(data, "own") {
				t.Errorf("a secret is told: %s", data)
			}
			testkit.NoError(t, json.Unmarshal([]byte(data), &m))
			break
		}
	}
	if m.Method != "POST" || m.Body != nil || !m.Whole || len(m.Masked) != 1 {
		t.Errorf("%+v", m)
	}
	want(t, d.send("POST", fmt.Sprint(d.url, "/api/held/", m.ID), `{"method":"a b"}`), 400, "bad_request")
	for _, bad := range []string{`{"set":{"Content-Length":["3"]}}`, `{"method":"HEAD"}`, `{"target":"/x?code=***"}`, `{"status":700}`, `{"set":{"x":["a\nb"]}}`} {
		want(t, d.send("POST", fmt.Sprint(d.url, "/api/held/", m.ID), bad), 400, "bad_request")
	}
	want(t, d.send("POST", fmt.Sprint(d.url, "/api/held/", m.ID), `{"set":{"x-plain":["2"]}}`), 200)
	if out := <-held; out.Header.Get("X-Plain") != "2" || out.Header.Get("Authorization") != "Bearer own" {
		t.Errorf("%v", out.Header)
	}
	want(t, d.send("POST", fmt.Sprint(d.url, "/api/held/", m.ID), `{}`), 404, "not_held")
}

func TestThePagesOfALogout(t *testing.T) {
	d := start(t, setup{})
	d.login()
	want(t, d.ask("GET", "/status"), 200, `<a href="/logout?credential=alexa">`, "Scopes alexa:all")
	want(t, d.ask("GET", "/logout?credential=none"), 404, "Nothing to log out of")
	want(t, d.ask("GET", "/logout?credential=alexa"), 200, "Log out of <code>alexa</code>?")
	want(t, d.ask("GET", "/status"), 200, "ready")
	form := "Content-Type: application/x-www-form-urlencoded"
	want(t, d.send("POST", d.url+"/logout", "credential=alexa", form, "Origin: https://evil.example"), 403)
	a := d.send("POST", d.url+"/logout", "credential=alexa", form)
	if a.StatusCode != 303 || a.Header.Get("Location") != "/status" {
		t.Errorf("%s %v", a.Status, a.Header)
	}
	want(t, d.ask("GET", "/status"), 200, "login needed")
}

// The login page says how often a browser will warn, and that the sandbox is one.
func TestTheLoginPageSaysWhatToExpect(t *testing.T) {
	for _, c := range []struct {
		sandbox, https bool
		text           string
	}{
		{true, true, "will warn twice"}, {true, false, "will warn once about a certificate that it does not know: the stand-in’s"},
		{false, true, "will warn once about a certificate that it does not know: that of this machine’s callback"}, {false, false, "Log in at"},
	} {
		d := start(t, setup{https: c.https})
		d.Sandbox = c.sandbox
		page := d.ask("GET", "/login")
		want(t, page, 200, c.text)
		if told := strings.Contains(page.text, "<strong>Sandbox</strong>"); told != c.sandbox {
			t.Errorf("%+v: told %v", c, told)
		}
		if !c.sandbox && !c.https && strings.Contains(page.text, "will warn") {
			t.Errorf("%+v", c)
		}
	}
}

func TestLatenciesAndConnections(t *testing.T) {
	var list []capture.Summary
	for i := range 100 {
		list = append(list, capture.Summary{ID: uint64(100 - i), Route: "a", State: capture.StateDone, Status: 200 + i%2*300, TookMS: float64(i + 1), UpstreamConn: uint64(1 + i%2), ClientConn: 7, UpstreamProto: "HTTP/2.0", Proto: "HTTP/1.1"})
	}
	list[0].State, list[0].Status, list[0].Method, list[0].Target = capture.StateActive, 200, "GET", "/long?x=1"
	list[1].Lasts = true
	want := []latency{{"a", 98, 49, "51 ms", "91 ms", "100 ms", "100 ms"}}
	if diff := cmp.Diff(want, latencies(list)); diff != "" {
		t.Error(diff)
	}
	wantConnections := []connection{
		{"upstream 1", "a", "HTTP/2.0", 50, 1, "#100 GET /long"}, {"upstream 2", "a", "HTTP/2.0", 50, 0, ""}, {"client 7", "a", "HTTP/1.1", 100, 1, "#100 GET /long"},
	}
	if diff := cmp.Diff(wantConnections, connections(list)); diff != "" {
		t.Error(diff)
	}
}
