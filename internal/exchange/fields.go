package exchange

// SameField reports whether some server would take two field names for one: whatever
// the case, and with "_" for "-", as CGI-like servers do.
func SameField(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if plainByte(a[i]) != plainByte(b[i]) {
			return false
		}
	}
	return true
}

// plainByte is a byte of a name in lower case, and "-" for "_".
func plainByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '_':
		return '-'
	}
	return c
}

// NoticeHeader is a header field in which the proxy tells a client what it should
// know about an answer that is the upstream's.
const NoticeHeader = "Avsproxy-Notice"
