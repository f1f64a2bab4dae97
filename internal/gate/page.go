package gate

import (
	"strconv"
	"strings"

	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
)

// program reports whether the request is a program's that sends an Origin of its own
// accord, and may. A page cannot choose its Origin; one that has an Origin which was let
// in is known by what else its browser adds.
func (rules Rules) program(c *exchange.Conn, h *exchange.Head) bool {
	origins := h.Fields.Values("Origin")
	if rules.Origin == nil || len(origins) != 1 || browserOnly(h.Fields) {
		return false
	}
	authority, ok := c.Authority(h)
	return ok && rules.Origin(authority, c.ListenerFor(h), origins[0])
}

// browserOnly reports whether the header has what browsers alone send, all of them with
// each request, and no page can take away: the fetch metadata (without it: Chromium's
// WebSockets, and Safari before 16.4), client hints and preflights, and the name that
// they all go by.
func browserOnly(f exchange.Fields) bool {
	for name, value := range f.Each {
		name = exchange.Lower(name)
		if strings.HasPrefix(name, "sec-fetch-") || strings.HasPrefix(name, "sec-ch-") || strings.HasPrefix(name, "access-control-request-") {
			return true
		}
		if name == "user-agent" && strings.Contains(value, "Mozilla/") {
			return true
		}
	}
	return false
}

// browserFields are the fields of a request by which it counts as a page's.
func browserFields(h *exchange.Head) (names []string) {
	for _, name := range []string{"Origin", "Sec-Fetch-Site", "Access-Control-Request-Method", "Access-Control-Request-Headers"} {
		if h.Has(name) {
			names = append(names, name)
		}
	}
	if strings.Contains(h.Get("User-Agent"), "Mozilla/") && h.Has("Origin") {
		names = append(names, "User-Agent")
	}
	return names
}

func (rules Rules) fromPage(h *exchange.Head) *problem.Problem {
	p := &problem.Problem{
		Code: problem.OriginForbidden, Title: "requests from web pages are refused",
		Detail: "the request carries the marks of a web page (" + strings.Join(browserFields(h), ", ") + ")",
		Hint:   "use a program such as curl; a page must not be able to spend your login",
	}
	if origins := h.Fields.Values("Origin"); rules.Origin != nil && len(origins) == 1 && !browserOnly(h.Fields) {
		p.Detail = "the request carries the marks of a web page: its Origin is " + strconv.Quote(clip(origins[0]))
		p.Hint = "if a program sends this Origin, add it to allow_origin of the route, in config.toml; a page must not be able to spend your login"
	}
	return p
}

// FromBrowser reports whether the fields have what browsers add to requests of
// pages: any Origin (the Fetch standard sends it with every request that could
// read an answer or change something), or a Sec-Fetch-Site that is neither the
// user's own navigation nor the same origin. Preflights are theirs alone.
func FromBrowser(f exchange.Fields) bool {
	if len(f.Values("Origin")) > 0 || len(f.Values("Access-Control-Request-Method")) > 0 {
		return true
	}
	for _, site := range f.Values("Sec-Fetch-Site") {
		if site != "none" && site != "same-origin" {
			return true
		}
	}
	return false
}
