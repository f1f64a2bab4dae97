package exchange

import (
	"net"
	"net/netip"
	"strings"
)

// An Authority is a host and, where it was given, a port, in canonical form:
// lower case, no trailing dot, IP addresses without brackets.
type Authority struct {
	Host string
	Port string // decimal digits; empty = not given
}

// ParseAuthority reads the value of a Host field or an :authority pseudo-header
// (RFC 9110 section 7.2). Whatever is not plainly a host and a port is refused;
// nothing is guessed or cleaned, since a clever reading is what attackers look for.
func ParseAuthority(text string) (Authority, bool) {
	host, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		host, port = text[:i], text[i+1:]
		if !isPort(port) {
			return Authority{}, false
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
			return Authority{}, false
		}
		return Authority{Host: addr.String(), Port: port}, true
	}
	host = strings.TrimSuffix(host, ".")
	if !isHostName(host) {
		return Authority{}, false
	}
	return Authority{Host: Lower(host), Port: port}, true
}

// String returns the authority as a Host field has it.
func (a Authority) String() string {
	switch {
	case a.Port != "":
		return net.JoinHostPort(a.Host, a.Port)
	case strings.Contains(a.Host, ":"):
		return "[" + a.Host + "]"
	}
	return a.Host
}

func isPort(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != "" && len(text) <= 5
}

func isHostName(text string) bool {
	if len(text) > 253 {
		return false
	}
	label := 0 // bytes of it so far
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			label++
		case c == '.' && label > 0:
			label = 0
		default:
			return false
		}
	}
	return label > 0
}

// Lower maps ASCII letters only: strings.ToLower would map U+212A KELVIN SIGN to "k".
func Lower(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return 'A' <= r && r <= 'Z' }) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// IsLocal reports whether host is one of the names of this machine's loopback
// that every local client uses.
func IsLocal(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// IsLocalName reports whether host is local, or one of the names below localhost that
// mean routes.
func IsLocalName(host string) bool { return IsLocal(host) || strings.HasSuffix(host, ".localhost") }

// Covers reports whether name is the authority, with its port or without one.
func (a Authority) Covers(name string) bool {
	other, ok := ParseAuthority(name)
	return ok && other.Host == a.Host && (other.Port == "" || other.Port == a.Port)
}
