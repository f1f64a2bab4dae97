package proxy

import (
	"net"
	"net/url"
	"strings"

	"avsproxy/internal/exchange"
	"avsproxy/internal/upstream"
)

// A door is the address by which a client reaches the upstream through us.
type door struct {
	address  string // scheme and authority, as the client would write them
	upstream *url.URL
}

// doorOf returns the door that a request came in by. ok is false where the client knows
// the upstream by its own name, which finds us again: inside a CONNECT, or else.
func doorOf(x *exchange.Exchange, upstream *url.URL) (d door, ok bool) {
	if x.Conn == nil || x.Conn.Tunnel != nil {
		return door{}, false
	}
	authority, ok := x.Conn.Authority(x.Head)
	at := x.Conn.ListenerFor(x.Head)
	if !ok || !at.IsSelf(authority.Host) && strings.EqualFold(authority.Host, upstream.Hostname()) {
		return door{}, false
	}
	host := x.Head.Authority
	if authority.Port == "" && at.Port != "" && !x.Head.Forward {
		host = net.JoinHostPort(authority.Host, at.Port)
	}
	if at.TLS {
		return door{"https://" + host, upstream}, true
	}
	return door{"http://" + host, upstream}, true
}

// rewrite makes a Location that leads to the upstream lead to the door (RFC 9110 section
// 10.2.2). It leaves alone those that lead elsewhere, and those that the route cannot
// reach, since they are outside of the path with which its upstream begins.
func (d door) rewrite(location string) string {
	path, absolute := d.path(location)
	base := strings.TrimSuffix(d.upstream.EscapedPath(), "/")
	inside, within := strings.CutPrefix(path, base)
	switch {
	case !within || inside != "" && strings.IndexByte("/?#", inside[0]) < 0:
		return location
	case base != "" && strings.Contains(inside+"/", "/../"):
		return location
	case absolute:
		return d.address + inside
	case base == "" || strings.HasPrefix(inside, "//"): // which would name a host
		return location
	case strings.HasPrefix(inside, "/"):
		return inside
	}
	return "/" + inside
}

// path returns what stands behind the upstream's origin; absolute is false for a
// reference without it, which is returned as it is.
func (d door) path(location string) (path string, absolute bool) {
	scheme, rest, ok := strings.Cut(location, "//")
	if !ok || scheme != "" && !strings.EqualFold(scheme, d.upstream.Scheme+":") {
		return location, false
	}
	end := strings.IndexAny(rest+"/", "/?#")
	origin, err := url.Parse(d.upstream.Scheme + "://" + rest[:end])
	if err != nil || origin.User != nil || !strings.EqualFold(upstream.AddressOf(origin), upstream.AddressOf(d.upstream)) {
		return location, false
	}
	return rest[end:], true
}
