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

func (rules Rules) fromPage(r *http.Request) *problem.Problem {
	p := &problem.Problem{
		Code: problem.OriginForbidden, Title: "requests from web pages are refused",
		Detail: "the request carries the marks of a web page (Origin or Sec-Fetch-Site)",
		Hint:   "use a program such as curl; a page must not be able to spend your login",
	}
	if origins := r.Header["Origin"]; rules.Origin != nil && len(origins) == 1 && !browserOnly(r.Header) {
		p.Detail = "the request carries the marks of a web page: its Origin is " + strconv.Quote(clip(origins[0]))
		p.Hint = "if it is a program that sends this, name it in allow_origin of the route, in config.toml; a page must not be able to spend your login"
	}
	return p
}
