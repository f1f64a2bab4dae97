package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"avsproxy/internal/h2"
	"avsproxy/internal/netconn"
)

// dialGrace is by how much a dial ends before the patience does: it says itself what
// it waited for.
const dialGrace = 100 * time.Millisecond

// dialLink makes an HTTP/2 connection, up to the upstream's first SETTINGS, within one
// bound. gone hears when it takes no more requests.
func (u *Upstream) dialLink(gone func(*pooledConn, error)) (*pooledConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), max(u.options.DialTimeout-dialGrace, u.options.DialTimeout/2))
	defer cancel()
	conn, err := u.dialTLS(ctx, "tcp", AddressOf(u.options.Origin), u.tls)
	if err != nil {
		return nil, err
	}
	http1 := conn.ConnectionState().NegotiatedProtocol != "h2"
	if u.http1.Store(http1); http1 {
		u.keepHTTP1(conn)
		return nil, errNotHTTP2
	}
	return u.newLink(ctx, newTLSConn(conn), gone)
}

// newLink speaks HTTP/2 on a connection, and waits for the upstream's first SETTINGS.
func (u *Upstream) newLink(ctx context.Context, conn net.Conn, gone func(*pooledConn, error)) (*pooledConn, error) {
	l := &pooledConn{
		header: u.options.HeaderTimeout, base: upstreamConnOf(conn),
		turn: make(chan struct{}, 1), freed: make(chan struct{}, 1), gone: make(chan struct{}),
	}
	l.session = u.group.Client(conn, h2.Config{MaxHeader: headMost, FirstTimeout: u.options.DialTimeout, StateChanged: l.stateChanged})
	go u.serve(l.session)
	if err := l.settle(ctx); err != nil {
		return l, err
	}
	go func() {
		<-l.session.Gone()
		gone(l, l.session.Cause())
	}()
	return l, nil
}

// serve runs a session. A panic of what is told of its frames ends the connection, not the
// program.
func (u *Upstream) serve(session *h2.Session) {
	defer func() {
		if fault := recover(); fault != nil {
			u.options.ErrorLog.Printf("http2: panic on the connection to %s: %v\n%s", u.options.Origin.Host, fault, debug.Stack())
			session.Close()
		}
	}()
	_ = session.Serve() // the pool asks why
}

func AddressOf(origin *url.URL) string {
	port := origin.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(origin.Hostname(), port)
}

// dialTLS connects and shakes hands within one bound, which net/http's own steps
// would each have for themselves.
func (u *Upstream) dialTLS(ctx context.Context, network, addr string, conf *tls.Config) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, u.options.DialTimeout)
	defer cancel()
	raw, err := u.dialRaw(ctx, network, addr)
	if err != nil {
		return nil, connectError{err}
	}
	kept, began := u.keep(raw), time.Now()
	conn := tls.Client(&gatherConn{Conn: &eofConn{Conn: kept}, now: netconn.WriteNowOf(raw)}, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		conn.NetConn().Close() // without TLS's goodbye, which might wait
		return nil, connectError{err}
	}
	kept.handshake = time.Since(began)
	return conn, nil
}

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
	conn, err := connectProxy{via, u.options.Dial, u.options.Roots}.dial(ctx, network, addr)
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

func (u *Upstream) newTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := u.dialTLS(ctx, network, addr, u.tls)
			if err != nil {
				return nil, err
			}
			u.http1.Store(conn.ConnectionState().NegotiatedProtocol != "h2")
			return detectTruncation(conn), nil
		},
		Protocols:              &protocols,
		DisableCompression:     true, // or Go would ask for gzip and unpack it: other bytes than were sent
		ResponseHeaderTimeout:  u.options.HeaderTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    idleMost,
		MaxResponseHeaderBytes: headMost,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout:           u.options.PingInterval,
			PingTimeout:               pingPatience,
			MaxReceiveBufferPerStream: streamBuffer,
		},
	}
}

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

func (u *Upstream) keep(conn net.Conn) *upstreamConn {
	kept := &upstreamConn{Conn: conn, upstream: u}
	u.mu.Lock()
	u.open[kept] = struct{}{}
	u.number++
	kept.number = u.number
	u.mu.Unlock()
	u.tell(+1)
	return kept
}

func (u *Upstream) tell(delta int) {
	if u.options.Connections != nil {
		u.options.Connections(delta)
	}
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
