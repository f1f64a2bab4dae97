package proxy

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"avsproxy/internal/problem"
)

var errNotListed = errors.New("no rule in the route's allow list covers the request")

// Allow lets through to next only what one of the rules names: a method and a
// path, such as "GET /v20160207/*", where a "*" stands for any characters. Rules
// match the very bytes that will be sent, the path of the upstream's URL (under)
// included; where there are rules, a path that servers might read differently is
// refused, not cleaned, and so is a request with a header that names another method
// or path to some. No rules = all may pass.
func Allow(rules []string, under string, next http.Handler) http.Handler {
	if len(rules) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, why := Permit(rules, under, r.Method, r.URL.EscapedPath(), r.Header)
		if why == "" {
			next.ServeHTTP(w, r)
			return
		}
		note(r.Context(), func(e *Exchange) { e.Decision, e.Fault = Refused, errNotListed })
		problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed",
			Detail: why,
			Hint:   "change the request, or add a rule to 'allow' of the route in config.toml",
		}.Write(w)
	})
}

// Permit returns the rule by which [Allow] lets a request pass, empty where there are
// none, or else why it does not.
func Permit(rules []string, under, method, path string, h http.Header) (rule, why string) {
	if len(rules) == 0 {
		return "", ""
	}
	path = strings.TrimSuffix(under, "/") + path
	switch rule = covering(rules, method, path); {
	case !plainPath(path):
		return "", "the path is not in its plain form, which servers read differently"
	case overrides(h):
		return "", "a header of the request names another method or path"
	case rule == "":
		return "", "no rule in the route's allow list covers this method and path"
	}
	return rule, ""
}

func covering(rules []string, method, path string) string {
	for _, rule := range rules {
		ruleMethod, pattern, _ := strings.Cut(rule, " ")
		if ruleMethod == method && glob(pattern, path) {
			return rule
		}
	}
	return ""
}

// overrides reports whether a field tells some server to act on another method or
// path than those of the request line.
func overrides(h http.Header) bool {
	for name := range h {
		for _, field := range []string{
			"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
			"X-Original-URL", "X-Rewrite-URL", "X-Original-URI", "X-Forwarded-Uri", "X-Forwarded-Method",
		} {
			if sameField(name, field) {
				return true
			}
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
// ".." segments, no backslash, nothing percent-encoded that stands for one of those
// or for itself, no control characters, and no bytes that are not UTF-8, such as
// overlong forms of "." and "/".
func plainPath(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\\;") {
		return false
	}
	decoded, err := url.PathUnescape(path)
	if err != nil || !utf8.ValidString(decoded) || strings.ContainsFunc(decoded, unicode.IsControl) {
		return false
	}
	folded := strings.ToLower(path)
	for _, coded := range []string{"%2e", "%2f", "%5c", "%25", "%3b"} {
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
