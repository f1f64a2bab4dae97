package proxy

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"avsproxy/internal/problem"
)

var errNotListed = errors.New("no rule in the route's allow list covers the request")

// Allow lets through to next only what one of the rules names: a method and a
// path, such as "GET /v20160207/*", where a "*" stands for any characters. Rules
// match the very bytes that will be sent; where there are rules, a path that
// servers might read differently is refused, not cleaned. No rules = all may pass.
func Allow(rules []string, next http.Handler) http.Handler {
	if len(rules) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if allowed(rules, r.Method, r.URL.EscapedPath()) {
			next.ServeHTTP(w, r)
			return
		}
		note(r.Context(), func(e *Exchange) { e.Decision, e.Fault = Refused, errNotListed })
		problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed",
			Detail: "no rule in the route's allow list covers this method and path, or the path is not in its plain form",
			Hint:   "change the request, or add a rule to 'allow' of the route in config.toml",
		}.Write(w)
	})
}

func allowed(rules []string, method, path string) bool {
	if !plainPath(path) {
		return false
	}
	for _, rule := range rules {
		ruleMethod, pattern, _ := strings.Cut(rule, " ")
		if ruleMethod == method && glob(pattern, path) {
			return true
		}
	}
	return false
}

// drop removes the named fields, in every spelling.
func drop(h http.Header, names []string) {
	for name := range h {
		if slices.ContainsFunc(names, func(unwanted string) bool { return sameField(name, unwanted) }) {
			delete(h, name)
		}
	}
}

// plainPath reports whether every server reads the path alike: no empty, "." or
// ".." segments, no backslash, and nothing percent-encoded that stands for one of
// those or for itself.
func plainPath(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\\;") {
		return false
	}
	folded := strings.ToLower(path)
	for _, coded := range []string{"%2e", "%2f", "%5c", "%25", "%00", "%3b"} {
		if strings.Contains(folded, coded) {
			return false
		}
	}
	segments := strings.Split(path, "/")[1:]
	for i, segment := range segments {
		last := i == len(segments)-1
		if segment == "." || segment == ".." || (segment == "" && !last) {
			return false
		}
	}
	return true
}

// glob matches text against a pattern in which "*" stands for any run of
// characters, in time proportional to their lengths' product at worst.
func glob(pattern, text string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	text, ok := strings.CutPrefix(text, first)
	if !wild || !ok {
		return ok && text == ""
	}
	for {
		next, more, wild := strings.Cut(rest, "*")
		if !wild {
			return strings.HasSuffix(text, next)
		}
		at := strings.Index(text, next)
		if at < 0 {
			return false
		}
		text, rest = text[at+len(next):], more
	}
}
