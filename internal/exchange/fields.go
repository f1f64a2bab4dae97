package exchange

import "strings"

// SameField reports whether some server would take two field names for one: whatever
// the case, and with "_" for "-", as CGI-like servers do.
func SameField(a, b string) bool {
	return strings.EqualFold(strings.ReplaceAll(a, "_", "-"), strings.ReplaceAll(b, "_", "-"))
}

// NoticeHeader is a header field in which the proxy tells a client what it should
// know about an answer that is the upstream's.
const NoticeHeader = "Avsproxy-Notice"
