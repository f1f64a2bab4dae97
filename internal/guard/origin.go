package guard

import (
	"net/http"
	"strconv"
	"strings"

	"avsproxy/internal/problem"
)

// program reports whether the request is a program's that sends an Origin of its own
// accord, and may. A page cannot choose its Origin; one that has an Origin which was let
// in is known by what else its browser adds.
func (rules Rules) program(r *http.Request) bool {
	origins := r.Header["Origin"]
	if rules.Origin == nil || len(origins) != 1 || browserOnly(r.Header) {
		return false
	}
	authority, ok := Named(r)
	return ok && rules.Origin(authority, RequestDoor(r), origins[0])
}

// browserOnly reports whether the header has what browsers alone send, all of them with
// each request, and no page can take away: the fetch metadata (without it: Chromium's
// WebSockets, and Safari before 16.4), client hints and preflights, and the name that
// they all go by.
func browserOnly(h http.Header) bool {
	for name, values := range h {
		if strings.HasPrefix(name, "Sec-Fetch-") || strings.HasPrefix(name, "Sec-Ch-") || strings.HasPrefix(name, "Access-Control-Request-") {
			return true
		}
		if name == "User-Agent" && strings.Contains(strings.Join(values, " "), "Mozilla/") {
			return true
		}
	}
	return false
}

// browserFields are the fields of a request by which it counts as a page's.
func browserFields(h http.Header) (names []string) {
	for _, name := range []string{"Origin", "Sec-Fetch-Site", "Access-Control-Request-Method", "Access-Control-Request-Headers"} {
		if len(h[name]) > 0 {
			names = append(names, name)
		}
	}
	if strings.Contains(h.Get("User-Agent"), "Mozilla/") && len(h["Origin"]) > 0 {
		names = append(names, "User-Agent")
	}
	return names
}

func (rules Rules) fromPage(r *http.Request) *problem.Problem {
	p := &problem.Problem{
		Code: problem.OriginForbidden, Title: "requests from web pages are refused",
		Detail: "the request carries the marks of a web page (" + strings.Join(browserFields(r.Header), ", ") + ")",
		Hint:   "use a program such as curl; a page must not be able to spend your login",
	}
	if origins := r.Header["Origin"]; rules.Origin != nil && len(origins) == 1 && !browserOnly(r.Header) {
		p.Detail = "the request carries the marks of a web page: its Origin is " + strconv.Quote(clip(origins[0]))
		p.Hint = "if a program sends this Origin, add it to allow_origin of the route, in config.toml; a page must not be able to spend your login"
	}
	return p
}
