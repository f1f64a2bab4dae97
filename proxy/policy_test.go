package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

func TestC18_AllowListsMatchWhatIsSent(t *testing.T) {
	rules := []string{"GET /v20160207/*", "POST /events", "GET /a/*/b", "GET /only/*.json", "GET /"}
	for request, want := range map[string]bool{
		"GET /v20160207/directives": true, "GET /v20160207/": true, "POST /events": true, "GET /": true,
		"GET /a/x/b": true, "GET /a/x/y/b": true, "GET /only/x.json": true, "GET /only/.json": true, "GET /v20160207/%41": true,

		"POST /v20160207/directives": false, "HEAD /events": false, "get /": false, "GET /v20160207": false,
		"POST /events/": false, "POST /eventsx": false, "GET /a/b": false, "GET /only/x.jsonx": false, "GET": false,
		"GET /v20160207/../secret": false, "GET /v20160207/%2e%2E/secret": false, "GET /v20160207/x%2fy": false,
		"GET /v20160207//x": false, "GET /v20160207/.": false, "GET /v20160207/a\\b": false, "GET /v20160207/%5cb": false,
		"GET /v20160207/%c0%ae%C0%AE/x": false, "GET /v20160207/%0d%0aX": false, "GET /v20160207/%7f": false, "GET /v20160207/%c2%85": false,
		"GET /v20160207/\xff": false, "GET /v20160207/%zz": false, "GET /v20160207/%C3%A9": true,
		"GET /v20160207/%252e": false, "GET /v20160207/%00": false, "GET /v20160207/x;y": false, "GET /v20160207/x%3By": false,
		"GET *": false, "OPTIONS *": false,
	} {
		method, path, _ := strings.Cut(request, " ")
		rule, why := permitted(rules, method, path)
		if (why == "") != want || (rule == "") == want {
			t.Errorf("%s: by %q; %s", request, rule, why)
		}
	}
}

func TestC18_RefusedPathsAreNotSent(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{policy: Policy{Allow: []string{"GET /ping", "GET /v20160207/*"}}})
	for target, allowed := range map[string]bool{
		"/ping": true, "/ping?x=1": true, "/v20160207/nothing": true,
		"/v20160207/../sandbox/echo": false, "/v20160207/%2e%2e/x": false, "/sandbox/bytes?n=1": false, "//ping": false, "/ping/": false,
	} {
		before := len(s.Ledger())
		conn := testkit.Dial(t, l.addr)
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", target)
		text, _ := io.ReadAll(conn)
		if sent := len(s.Ledger()) > before; sent != allowed || strings.Contains(string(text), string(problem.NotAllowed)) == allowed {
			t.Errorf("%s: sent %v: %s", target, sent, text)
		}
	}
	problemOf(t, get(t, h2cClient(t), l.url+"/sandbox/none"), problem.NotAllowed)
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.exchanges[len(l.exchanges)-1]; e.Decision != exchange.Refused || e.Fault == nil || e.Status != http.StatusForbidden {
		t.Errorf("%+v", e)
	}
}

func TestC18_HeadersCannotNameAnotherMethodOrPath(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{policy: Policy{Allow: []string{"GET /ping"}}})
	over(t, func(t *testing.T, client *http.Client) {
		for _, name := range []string{"X-Http-Method-Override", "X_HTTP_METHOD_OVERRIDE", "x-original-url", "X-Rewrite-Url", "X-Forwarded-Uri"} {
			r := request(t, "GET", l.url+"/ping", nil)
			r.Header[name] = []string{"/secret"}
			problemOf(t, do(t, client, r), problem.NotAllowed)
		}
	})
	if n := len(s.Ledger()); n != 0 {
		t.Errorf("%d arrived", n)
	}
}

// A path that passes is read alike by every server: cleaning changes nothing, and
// decoding brings no new segments.
func FuzzAllowedPaths(f *testing.F) {
	for _, seed := range []string{"/", "/a/b", "/a/../b", "/%2e%2e/", "/a//b", "/a%2fb", "/%25", "/a\\b", "/a;b", "/é", "/a/", "/%c0%ae/", "/%0a", "/a/.b", "/..."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		target, err := url.ParseRequestURI(raw)
		if err != nil || !permits([]string{"GET /*"}, target.EscapedPath()) {
			return
		}
		if clean := path.Clean(target.Path); clean != target.Path && clean+"/" != target.Path {
			t.Fatalf("%q passes and is cleaned to %q", raw, clean)
		}
		if strings.Count(target.Path, "/") != strings.Count(target.EscapedPath(), "/") || strings.ContainsAny(target.Path, "\\;\x00\r\n\x7f%") || !utf8.ValidString(target.Path) {
			t.Fatalf("%q passes and decodes to %q", raw, target.Path)
		}
	})
}

func TestAllowMatchesWhatTheUpstreamGets(t *testing.T) {
	for path, want := range map[string]Action{"/ping": Forward, "/base/ping": Refuse} {
		policy := Policy{Allow: []string{"GET /base/ping"}, Base: "/base/"}
		if verdict := policy.Judge(httpexchange.Head(httptest.NewRequest("GET", path, nil))); verdict.Action != want {
			t.Errorf("%s: %+v", path, verdict)
		}
	}
}

func permits(rules []string, path string) bool {
	_, why := permitted(rules, "GET", path)
	return why == ""
}

func permitted(rules []string, method, path string) (rule, why string) {
	return gate.Permit(rules, "", &exchange.Head{Method: method, Path: path, Fields: httpexchange.Fields{}})
}
