// Package guard decides who may use a local port: by the local user at the other
// end, by the host a request names, by the marks a browser leaves, and by a client
// key. The decisions are plain
// functions over the fields of a request.
package guard

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
	return Authority{Host: lower(host), Port: port}, true
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
	if text == "" || len(text) > 5 {
		return false
	}
	return strings.Trim(text, "0123456789") == ""
}

func isHostName(text string) bool {
	if text == "" || len(text) > 253 {
		return false
	}
	for _, label := range strings.Split(text, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	return true
}

// lower maps ASCII only: strings.ToLower would map U+212A KELVIN SIGN to "k".
func lower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// A Door is the side of a request that the client cannot choose: where it came in.
type Door struct {
	Host string // the address the client connected to; empty on a unix socket
	Port string // the listener's port; empty on a unix socket
	TLS  bool   // whether the default port of the scheme is 443
}

// DoorOf describes the listener at addr. One of an unknown kind gets a port
// that nobody can name.
func DoorOf(addr net.Addr, tls bool) Door {
	switch addr := addr.(type) {
	case *net.TCPAddr:
		return Door{Host: addr.IP.String(), Port: portText(addr.Port), TLS: tls}
	case *net.UnixAddr:
		return Door{TLS: tls}
	}
	return Door{Port: "unknown", TLS: tls}
}

// Fits reports whether the port a client named is the door's, the default of
// its scheme, or absent. A unix socket has no port, so there any will do.
func (d Door) Fits(a Authority) bool {
	if a.Port == "" || d.Port == "" || a.Port == d.Port {
		return true
	}
	if d.TLS {
		return a.Port == "443"
	}
	return a.Port == "80"
}

// Means reports whether host is the door itself: one of the names every local
// client uses, or the very address the client connected to. No web page can make a
// browser send the latter for a name of its own.
func (d Door) Means(host string) bool { return IsLocal(host) || (host != "" && host == d.Host) }

// IsLocal reports whether host is one of the names of this machine's loopback
// that every local client uses.
func IsLocal(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// localName reports whether host is this machine's, or one of the names below
// localhost that mean routes.
func localName(host string) bool { return IsLocal(host) || strings.HasSuffix(host, ".localhost") }
