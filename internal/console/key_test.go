package console

import (
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/api"
	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
)

const navigation = "Sec-Fetch-Mode: navigate"

func withKey(t *testing.T) *desk {
	d := inspecting(t)
	d.Key = "the-key-of-this-test"
	return d
}

// enter opens the inspector with a ticket and returns the cookie.
func (d *desk) enter(ticket string) *http.Cookie {
	d.t.Helper()
	a := d.ask("GET", "/?key="+ticket, navigation, "Sec-Fetch-Site: none", "Sec-Fetch-Dest: document")
	want(d.t, a, http.StatusSeeOther)
	if to := a.Header.Get("Location"); to != "/" {
		d.t.Errorf("led to %q", to)
	}
	cookies := a.Cookies()
	if len(cookies) != 1 {
		d.t.Fatalf("cookies %v", cookies)
	}
	return cookies[0]
}

func TestWithoutTheKeyNoTraffic(t *testing.T) {
	d := withKey(t)
	d.remember(told{method: "GET", target: "/secret-path", status: 200})
	d.Ended = closed()
	d.Explain = func(string, string) (any, error) { return "explained", nil }
	paths := []string{
		"GET /", "GET /har", "GET /api/exchanges", "GET /api/exchanges/1", "GET /api/exchanges/1/request/body", "GET /api/events",
		"GET /api/directives", "GET /api/explain?url=/", "DELETE /api/exchanges", "POST /api/capture", "POST /api/exchanges/1/replay", "POST /api/tickets",
		"GET /api%2fexchanges", "GET /%61pi/exchanges", "GET //api/exchanges", "GET /x/../api/exchanges", "HEAD /har",
	}
	wrong := map[string][]string{
		"nothing": nil, "a wrong key": {api.KeyHeader + ": another"}, "a wrong session": {"Cookie: " + sessionCookie + "=x"},
		"an empty session": {"Cookie: " + sessionCookie + "="}, "the key as a cookie": {"Cookie: " + sessionCookie + "=" + d.Key},
		"an empty key": {api.KeyHeader + ": "},
	}
	for _, path := range paths {
		method, path, _ := strings.Cut(path, " ")
		for name, header := range wrong {
			a := d.ask(method, path, header...)
			if strings.Contains(a.text, "secret-path") || strings.Contains(a.text, "explained") || a.StatusCode < 300 {
				t.Errorf("%s %s with %s: %d %s", method, path, name, a.StatusCode, a.text)
			}
		}
	}
	for _, query := range []string{"?key=", "?key=x", "?key=" + d.Key} {
		want(t, d.ask("GET", "/"+query), 403, "not_allowed", "avsproxy status")
		want(t, d.ask("GET", "/api/exchanges"+query), 403)
	}
	want(t, d.ask("GET", "/api/exchanges", api.KeyHeader+": "+d.Key), 200, "secret-path")
	for _, path := range []string{"/status", "/login", "/livez", "/api/status", "/style.css"} {
		want(t, d.ask("GET", path), 200)
	}
}

func TestATicketOpensTheInspectorOnce(t *testing.T) {
	d := withKey(t)
	ticket := d.Ticket()
	want(t, d.ask("HEAD", "/?key="+ticket), 403) // as link checkers do
	want(t, d.ask("GET", "/api/exchanges?key="+ticket), 403)
	cookie := d.enter(ticket)
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.MaxAge != 0 || !cookie.Expires.IsZero() || cookie.Value == ticket || cookie.Value == d.Key {
		t.Errorf("cookie %v", cookie)
	}
	session := "Cookie: " + cookie.Name + "=" + cookie.Value
	for _, path := range []string{"/", "/api/exchanges", "/har"} {
		want(t, d.ask("GET", path, session), 200)
	}
	want(t, d.ask("GET", "/?key="+ticket), 403)
	want(t, d.ask("GET", "/?key="+ticket, session), http.StatusSeeOther) // from the history
	d.enter(d.Ticket())
	want(t, d.ask("GET", "/api/exchanges", session), 200) // two browsers
	want(t, d.ask("GET", "/api/exchanges", api.KeyHeader+": "+ticket), 403)
	want(t, d.ask("GET", "/api/exchanges", session, "Origin: https://evil.example"), 403)
}

func TestCommandsGetTickets(t *testing.T) {
	d := withKey(t)
	a := d.ask("POST", "/api/tickets", api.KeyHeader+": "+d.Key)
	want(t, a, 201)
	address := decode[api.TicketMade](t, a).Address
	ticket, ok := strings.CutPrefix(address, d.url+"/?key=")
	if !ok {
		t.Fatal(address)
	}
	d.enter(ticket)
	first := d.Ticket()
	for range maxTickets {
		d.Ticket()
	}
	want(t, d.ask("GET", "/?key="+first), 403)
}

func TestWithoutAKeyNothingIsAsked(t *testing.T) {
	d := inspecting(t)
	if got := d.Address("http://localhost:9745"); got != "http://localhost:9745" {
		t.Error(got)
	}
	want(t, d.ask("GET", "/"), 200)
	want(t, d.ask("GET", "/?key=old"), 200)
	want(t, d.ask("GET", "/api/exchanges"), 200)
}

func TestWrongConsoleKeyIsReported(t *testing.T) {
	d := withKey(t)
	var told []problem.Code
	handler := d.requireKey(func(_ *exchange.Head, p problem.Problem) { told = append(told, p.Code) }, d.handler())
	w := newRecorderFor(handler, "GET", "/api/exchanges")
	if len(told) != 1 || told[0] != problem.NotAllowed || w.Header().Get(problem.Header) != "not_allowed" {
		t.Errorf("told of %v: %v", told, w.Header())
	}
}

// The callback may have the inspector's path; its state is its guard.
func TestTheCallbackNeedsNoKey(t *testing.T) {
	d := start(t, setup{path: "/"})
	d.Key = "the-key-of-this-test"
	want(t, d.ask("GET", strings.TrimPrefix(d.consent(d.begin()), d.url)), http.StatusSeeOther)
	want(t, d.ask("GET", "/"), 403)
}
