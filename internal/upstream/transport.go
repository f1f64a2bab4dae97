package upstream

import (
	"context"
	"net"
	"net/http"
)

// newUpgrading makes the transport for requests that change the protocol, which
// only HTTP/1.1 can: for them ALPN offers nothing else, and they take none of the
// other requests' connections.
func (u *Upstream) newUpgrading() *http.Transport {
	conf := u.tls.Clone()
	conf.NextProtos = []string{"http/1.1"}
	t := u.newTransport()
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := u.dialTLS(ctx, network, addr, conf)
		if err != nil {
			return nil, err
		}
		return detectTruncation(conn), nil
	}
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}

// Plain makes the transport for http:// origins, over HTTP/1.1.
func Plain(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            dial,
		Protocols:              &protocols,
		DisableCompression:     true, // or Go would ask for gzip and unpack it: other bytes than were sent
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           idleMost,
		MaxResponseHeaderBytes: headMost,
	}
}
