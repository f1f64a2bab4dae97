package proxy

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"avsproxy/internal/httpexchange"
)

// A door is the address by which a client reaches the upstream through us.
type door struct {
	address  string // scheme and authority, as the client would write them
	upstream *url.URL
}

// doorOf returns the door that a request came in by. ok is false where the client knows
// the upstream by its own name, which finds us again: inside a CONNECT, or else.
func doorOf(r *http.Request, upstream *url.URL) (d door, ok bool) {
	if _, inside := httpexchange.TunnelTarget(r.Context()); inside {
		return door{}, false
	}
	authority, ok := httpexchange.Authority(r)
	at := httpexchange.Listener(r)
	if !ok || !at.IsSelf(authority.Host) && strings.EqualFold(authority.Host, upstream.Hostname()) {
		return door{}, false
	}
	host := r.Host
	if authority.Port == "" && at.Port != "" && !httpexchange.IsForward(r) {
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
	if err != nil || origin.User != nil || !strings.EqualFold(addressOf(origin), addressOf(d.upstream)) {
		return location, false
	}
	return rest[end:], true
}

// adapt changes the head of an upstream's answer for a client that has us in the
// upstream's place.
func (o ForwardOptions) adapt(h http.Header, r *http.Request) {
	if o.Origin == nil { // we are not
		return
	}
	h.Del("Alt-Svc") // leads past us (RFC 7838)
	if !o.RewriteLocation || len(h["Location"]) == 0 {
		return
	}
	if d, ok := doorOf(r, o.Origin); ok {
		for i, location := range h["Location"] {
			h["Location"][i] = d.rewrite(location)
		}
	}
}

// forwardedFields are what httputil.ReverseProxy drops, lest clients lie about where they
// are. Here it is the client who says who its own clients are.
var forwardedFields = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}

// keepForwarded gives an outgoing request the fields that the client sent, unless it
// sent them for us alone (RFC 9110 section 7.6.1).
func keepForwarded(out, in http.Header) {
	for _, name := range forwardedFields {
		if values := in[name]; len(values) > 0 && !httpguts.HeaderValuesContainsToken(in["Connection"], name) {
			out[name] = slices.Clone(values)
		}
	}
}
