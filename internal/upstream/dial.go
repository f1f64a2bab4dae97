package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"avsproxy/internal/wire"
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
		conn.Close()
		return nil, errNotHTTP2
	}
	return u.newLink(ctx, conn, gone)
}

func (u *Upstream) newLink(ctx context.Context, conn net.Conn, gone func(*pooledConn, error)) (*pooledConn, error) {
	l := &pooledConn{wire: wire.NewClient(conn), base: upstreamConnOf(conn), turn: make(chan struct{}, 1), gone: make(chan struct{})}
	var made atomic.Bool
	l.wire.Ended = func(cause error) {
		if !made.Load() {
			l.retire(func() {}) // nobody has it yet
			return
		}
		if cause == nil && l.retired() {
			l.wakeWaiters()
		}
		gone(l, cause)
	}
	var err error
	if l.conn, err = u.newOver2(l.wire).NewClientConn(ctx, "http", AddressOf(u.options.Origin)); err != nil {
		l.wire.Close()
		return nil, connectError{err}
	}
	made.Store(true)
	return l, l.settle(ctx)
}

// settle waits until it is known how many streams the connection may have.
func (l *pooledConn) settle(ctx context.Context) error {
	var err error
	select {
	case <-l.wire.Settled():
		return nil
	case <-l.wire.Done():
		err = net.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.retire(func() {})
	l.conn.Close()
	return connectError{err}
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
	conn := tls.Client(&eofConn{Conn: kept}, conf)
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
