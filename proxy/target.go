package proxy

import "strings"

// isPlainTarget reports whether net/url passes a :path on as it is: the path has no byte that
// it would write in another way (RFC 3986 section 3.3), and the query none that it refuses.
func isPlainTarget(target string) bool {
	path, query := cutTarget(target)
	if strings.ContainsFunc(query, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return false
	}
	if path == "" || path[0] != '/' {
		return false
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '%':
			if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
				return false
			}
			i += 2
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-._~!$&'()*+,;=:@/", c) < 0:
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// cutTarget parts path and query.
func cutTarget(target string) (path, query string) {
	path, query, _ = strings.Cut(target, "?")
	return path, query
}
