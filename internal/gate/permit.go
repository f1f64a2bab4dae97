package gate

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"avsproxy/internal/exchange"
)

// Permit returns the rule by which a request may pass, empty where there are
// none, or else why it may not. A rule is a method and a path, such as
// "GET /v20160207/*", where a "*" stands for any characters. Rules match the bytes that
// will be sent, the path of the upstream's URL (under) included; where there are rules,
// a path that servers might read differently is refused, not cleaned, and so is a
// request with a field that names another method or path to some.
func Permit(rules []string, under string, h *exchange.Head) (rule, why string) {
	if len(rules) == 0 {
		return "", ""
	}
	path := strings.TrimSuffix(under, "/") + h.Path
	switch rule = covering(rules, h.Method, path); {
	case !plainPath(path):
		return "", "the path is not in its plain form, which servers read differently"
	case overrides(h.Fields):
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
func overrides(f exchange.Fields) bool {
	for name := range f.Each {
		for _, field := range []string{
			"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
			"X-Original-URL", "X-Rewrite-URL", "X-Original-URI", "X-Forwarded-Uri", "X-Forwarded-Method",
		} {
			if exchange.SameField(name, field) {
				return true
			}
		}
	}
	return false
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
