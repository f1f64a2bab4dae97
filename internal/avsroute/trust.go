package avsroute

import (
	"cmp"
	"net"
	"net/url"
	"strings"

	"avsproxy/internal/avs"
	"avsproxy/internal/exchange"
	"avsproxy/internal/upstream"
)

// originOf takes the https address of a host and nothing more, or else is nil. What it
// returns has no path, and no port where that is the scheme's own.
func originOf(address string) *url.URL {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return nil
	}
	authority, ok := exchange.ParseAuthority(u.Host)
	if !ok {
		return nil
	}
	host := net.JoinHostPort(authority.Host, cmp.Or(authority.Port, "443"))
	return &url.URL{Scheme: u.Scheme, Host: strings.TrimSuffix(host, ":443")}
}

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(upstream.AddressOf(a), upstream.AddressOf(b))
}

// trusts reports whether the token for one origin may go to another: to the same
// host, or from one of AVS's gateways to another.
func trusts(present, next *url.URL) bool {
	from, to := strings.ToLower(present.Hostname()), next.Hostname()
	return from == to || avs.IsGateway(from) && avs.IsGateway(to)
}
