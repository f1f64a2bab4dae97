package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"avsproxy/internal/httpexchange"
)

// isTarget reports whether a request for a path can go on as it is. Bytes that RFC 3986 does not
// have, but all servers take, may be in it.
func isTarget(target string) bool {
	path, query := cutTarget(target)
	if path == "" || path[0] != '/' && path != "*" {
		return false
	}
	for i := 0; i < len(path); i++ {
		if c := path[i]; c <= '%' && !isPlainByte(c) && !(c == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2])) || c == 0x7f {
			return false
		}
	}
	return !strings.ContainsFunc(query, func(c rune) bool { return c <= ' ' || c == 0x7f })
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// isPlainByte is for the bytes up to '%'.
func isPlainByte(c byte) bool { return c == '!' || c == '"' || c == '$' }

// keepTarget has net/http send a path as it came. It would write some bytes in another way, also
// those that were percent-encoded next to them. Over HTTP/2 a space may have come, which would end
// a target of HTTP/1.1: that it writes in its way.
func keepTarget(out, origin *url.URL, in *http.Request) {
	target := httpexchange.Target(in)
	path, query := cutTarget(target)
	path = under(origin, path)
	if isTarget(target) && isOpaquePath(path) && out.EscapedPath() != path {
		out.Opaque, out.RawQuery = path, query
		out.ForceQuery = query == "" && strings.HasSuffix(target, "?")
	}
}

// isOpaquePath reports whether net/http sends an opaque part of a URL as a path.
func isOpaquePath(path string) bool {
	return path == "" || path == "*" || path[0] == '/' && !strings.HasPrefix(path, "//")
}

// cutTarget parts path and query.
func cutTarget(target string) (path, query string) {
	path, query, _ = strings.Cut(target, "?")
	return path, query
}
