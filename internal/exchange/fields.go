package exchange

import "strings"

// SameField reports whether some server would take two field names for one: whatever
// the case, and with "_" for "-", as CGI-like servers do.
func SameField(a, b string) bool {
	return strings.EqualFold(strings.ReplaceAll(a, "_", "-"), strings.ReplaceAll(b, "_", "-"))
}
