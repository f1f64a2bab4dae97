package console

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/peer"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
)

func TestWhoMayUseTheConsole(t *testing.T) {
	d := start(t, setup{})
	own, local4 := d.url, strings.Replace(d.url, "localhost", "127.0.0.1", 1)
	const foreign = "Origin: https://evil.example"
	cross := func(mode, dest string) []string {
		return []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: " + mode, "Sec-Fetch-Dest: " + dest}
	}
	cases := []struct {
		name, method, path string
		header             []string
		status             int
	}{
		{"a program", "POST", "/login", nil, 303},
		{"own form", "POST", "/login", []string{"Origin: " + own, "Sec-Fetch-Site: same-origin"}, 303},
		{"own form of an old browser", "POST", "/login", []string{"Origin: " + own}, 303},
		{"foreign form", "POST", "/login", []string{foreign, "Sec-Fetch-Site: cross-site"}, 403},
		{"foreign form of an old browser", "POST", "/login", []string{foreign}, 403},
		{"foreign form without an origin", "POST", "/login", cross("navigate", "document"), 403},
		{"sandboxed frame", "POST", "/login", []string{"Origin: null"}, 403},
		{"empty origin", "POST", "/login", []string{"Origin: "}, 403},
		{"another port", "POST", "/login", []string{"Origin: http://localhost:1", "Sec-Fetch-Site: same-site"}, 403},
		{"another scheme", "POST", "/login", []string{"Origin: " + strings.Replace(own, "http:", "https:", 1)}, 403},
		{"another name of this machine", "POST", "/login", []string{"Origin: " + local4}, 403},
		{"two origins", "POST", "/login", []string{foreign, "Origin: " + own}, 403},

		{"link to a page", "GET", "/status", cross("navigate", "document"), 200},
		{"link to the inspector", "GET", "/", cross("navigate", "document"), 200},
		{"link to the HAR", "GET", "/har", cross("navigate", "document"), 403},
		{"link to the login", "GET", "/login", cross("navigate", "document"), 200},
		{"frame", "GET", "/login", cross("navigate", "iframe"), 403},
		{"image", "GET", "/status", cross("no-cors", "image"), 403},
		{"style sheet", "GET", "/style.css", cross("no-cors", "style"), 403},
		{"fetch", "GET", "/status", append(cross("cors", "empty"), foreign), 403},
		{"navigation with an origin", "GET", "/status", append(cross("navigate", "document"), foreign), 403},
		{"link to the API", "GET", "/api/status", cross("navigate", "document"), 403},
		{"fetch of the API", "GET", "/api/status", append(cross("cors", "empty"), foreign), 403},
		{"API from another port", "GET", "/api/status", []string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors"}, 403},
		{"API from own page", "GET", "/api/status", []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors"}, 200},
		{"typed address", "GET", "/api/status", []string{"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"}, 200},
		{"foreign login by API", "POST", "/api/logins", []string{foreign}, 403},
		{"foreign logout", "DELETE", "/api/login", []string{foreign}, 403},
		{"metrics from a page", "GET", "/metrics", cross("no-cors", "script"), 403},

		// Its state is its guard: here it is wrong, so it comes through and does nothing.
		{"callback", "GET", "/authresponse?state=x", cross("navigate", "document"), 400},
		{"callback after a form", "GET", "/authresponse?state=x", append(cross("navigate", "document"), "Origin: null"), 400},
		{"callback by POST", "POST", "/authresponse?state=x", append(cross("navigate", "document"), foreign), 403},

		{"foreign host", "GET", "/status", []string{"Host: evil.example"}, 421},
		{"rebound host with the port", "GET", "/login", []string{"Host: evil.example:" + strings.TrimPrefix(own, "http://localhost:")}, 421},
		{"host of a route", "GET", "/status", []string{"Host: avs.localhost"}, 421},
		{"another port in the host", "GET", "/status", []string{"Host: localhost:1"}, 421},
		{"no port in the host", "GET", "/status", []string{"Host: localhost"}, 200},
		{"address", "GET", "/status", []string{"Host: 127.0.0.1"}, 200},
		{"address of version 6", "GET", "/status", []string{"Host: [::1]"}, 200},
		{"callback with a foreign host", "GET", "/authresponse?state=x", []string{"Host: evil.example"}, 421},

		{"TRACE", "TRACE", "/", nil, 403},
		{"OPTIONS", "OPTIONS", "/login", nil, 405},
		{"PUT", "PUT", "/login", nil, 405},
		{"POST to a page", "POST", "/livez", nil, 405},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := d.ask(c.method, c.path, c.header...)
			want(t, a, c.status)
			wantSecure(t, a)
			if refused := a.Header.Get(problem.Header) != ""; refused != (c.status == 403 || c.status == 421) {
				t.Errorf("refused by the guard: %v", refused)
			}
		})
	}
	if pending := len(d.amazon.TokenCalls()); pending != 0 {
		t.Errorf("%d token calls", pending)
	}
}

// wantSecure checks what every answer of the console carries.
func wantSecure(t *testing.T, a answer) {
	t.Helper()
	for name, value := range map[string]string{
		"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := a.Header.Values(name); len(got) != 1 || got[0] != value {
			t.Errorf("%s is %q", name, got)
		}
	}
	policy := a.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the content security policy lacks %s: %q", part, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || (strings.Contains(policy, "form-action") && a.Request.URL.Path != "/") {
		t.Errorf("content security policy %q", policy)
	}
	// "no-referrer" would make browsers send "Origin: null" with our own form.
	if got := a.Header.Get("Referrer-Policy"); got != "same-origin" {
		t.Errorf("Referrer-Policy is %q", got)
	}
	if a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("other origins are let in")
	}
}

func TestEveryAnswerIsSecure(t *testing.T) {
	d := start(t, setup{})
	done := d.login().Request.URL.Path
	for _, path := range []string{
		"/status", "/login", done, "/login/nobody", "/style.css", "/livez", "/readyz", "/metrics", "/api/status",
		"/api/nothing", "/authresponse", "/authresponse?state=x", "/favicon.ico", "/../x", "//x",
	} {
		a := d.ask("GET", path)
		wantSecure(t, a)
		if kind := a.Header.Get("Content-Type"); kind == "" && a.StatusCode == 200 {
			t.Errorf("%s has no content type", path)
		}
		for _, bad := range []string{"style=", "<script", "onclick", "<style"} {
			if strings.Contains(a.text, bad) {
				t.Errorf("%s holds %q, which the policy forbids", path, bad)
			}
		}
	}
	wantSecure(t, d.send("POST", d.url+"/login", "", formType))
	wantSecure(t, d.ask("GET", "/", "Host: evil.example"))
}

func TestConsoleRefusalsAreReported(t *testing.T) {
	d := start(t, setup{})
	var told []problem.Code
	handler := d.Guarded(func(_ *exchange.Head, p problem.Problem) { told = append(told, p.Code) })
	for _, header := range []http.Header{{"Origin": {"https://evil.example"}}, {}} {
		r := httptest.NewRequest("POST", "http://localhost/login", nil)
		r.Header = header
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "evil.example"
	handler.ServeHTTP(httptest.NewRecorder(), r)
	if len(told) != 2 || told[0] != problem.OriginForbidden || told[1] != problem.UnknownHost {
		t.Errorf("told of %v", told)
	}
}

// A browser may run as another user than avsproxy. It can bring a login to its
// end, which takes the state, and do nothing else.
func TestC04_ABrowserOfAnotherUserEndsALogin(t *testing.T) {
	d := start(t, setup{})
	callback := d.consent(d.begin())
	d.Users = &peer.Users{UIDs: []int{1}}
	handler := d.Guarded(nil)
	redirect := testkit.Must(url.Parse(d.client.RedirectURL))(t)
	port, _ := strconv.Atoi(redirect.Port())
	ask := func(uid int, path string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path, nil)
		r.Host = redirect.Host
		ctx := context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{Port: port}))
		handler.ServeHTTP(answer, r.WithContext(httpexchange.WithConn(ctx, &exchange.Conn{Peer: peer.Peer{Transport: peer.Loopback, UID: uid, Known: true}}, nil)))
		return answer
	}
	end := ask(2, strings.TrimPrefix(callback, d.url))
	if end.Code != http.StatusSeeOther {
		t.Fatalf("the callback: %d\n%s", end.Code, end.Body)
	}
	for path, want := range map[string]int{
		end.Header().Get("Location"): 200, "/style.css": 200, "/authresponse?state=guess&code=x": 400,
		"/": 403, "/status": 403, "/har": 403, "/api/exchanges": 403, "/login": 403, "/login/other": 403, "/api/status": 403, "/api/logins/" + strings.TrimPrefix(end.Header().Get("Location"), "/login/"): 403,
	} {
		if got := ask(2, path); got.Code != want {
			t.Errorf("%s for another user: %d, want %d", path, got.Code, want)
		}
		if got := ask(1, path); got.Code == 403 {
			t.Errorf("%s for the user: %d", path, got.Code)
		}
	}
}
