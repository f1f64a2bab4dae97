package proxy

import (
	"context"
	"net"
)

// dialRaw connects to addr for TLS to go on top: directly, or through the proxy that
// the options choose. ctx bounds it all.
func (u *Upstream) dialRaw(ctx context.Context, network, addr string) (net.Conn, error) {
	if u.options.Proxy == nil {
		return u.options.Dial(ctx, network, addr)
	}
	via, err := u.options.Proxy(u.options.Origin)
	switch {
	case err != nil:
		return nil, proxyError{err}
	case via == nil:
		return u.options.Dial(ctx, network, addr)
	}
	conn, err := corporate{via, u.options.Dial, u.options.Roots}.dial(ctx, network, addr)
	if err != nil {
		return nil, proxyError{err}
	}
	return conn, nil
}

// A dialFunc is a dialer for x/net's packages too.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Dial dials without a bound; it is not called.
func (f dialFunc) Dial(network, address string) (net.Conn, error) {
	return f(context.Background(), network, address)
}

// DialContext dials.
func (f dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}
