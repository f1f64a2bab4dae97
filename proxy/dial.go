package proxy

import (
	"context"
	"net"
)

// dialRaw connects to addr for TLS to go on top: directly, or through the proxy that
// the options choose. ctx bounds it all.
func (u *Upstream) dialRaw(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := &net.Dialer{ControlContext: u.options.Control}
	if u.options.Proxy == nil {
		return dialer.DialContext(ctx, network, addr)
	}
	via, err := u.options.Proxy(u.options.Origin)
	switch {
	case err != nil:
		return nil, proxyError{err}
	case via == nil:
		return dialer.DialContext(ctx, network, addr)
	}
	conn, err := corporate{via, dialer, u.options.Roots}.dial(ctx, network, addr)
	if err != nil {
		return nil, proxyError{err}
	}
	return conn, nil
}
