package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// UpstreamOptions say how to reach one upstream.
type UpstreamOptions struct {
	Origin *url.URL
	// Roots verify the upstream's certificate; nil = the system's. There is no way
	// to switch verification off.
	Roots *x509.CertPool
	// Certificate is shown to an upstream that asks for one (mutual TLS); nil = none.
	Certificate *tls.Certificate
	// SingleConnection keeps to one connection where the upstream speaks HTTP/2,
	// as AVS demands of each device.
	SingleConnection bool
	// PingInterval is the silence after which an HTTP/2 connection is pinged. Zero = never.
	PingInterval time.Duration
	// DialTimeout bounds connecting, TLS handshake included. Zero = 10 s.
	DialTimeout time.Duration
	// HeaderTimeout bounds the wait for an answer's head. Zero = none, which long
	// polls and downchannels need.
	HeaderTimeout time.Duration
	// Control, if set, judges each address before it is dialed; see [net.Dialer].
	Control func(ctx context.Context, network, address string, c syscall.RawConn) error
	// Connections, if set, hears +1 and -1 as connections come and go.
	Connections func(delta int)
}

const (
	dialTimeout  = 10 * time.Second
	pingPatience = 15 * time.Second
	idleTimeout  = 90 * time.Second // of connections without a request
	idleMost     = 64               // spare HTTP/1.1 connections kept
	headMost     = 1 << 20          // bytes of an answer's head
	// streamBuffer is what an upstream can send ahead of a client that reads slowly.
	// There is no smaller bound for a connection: with one, slow clients would hold up
	// the others' streams.
	streamBuffer = 512 << 10
)

// An Upstream sends requests to one origin: HTTP/2 or HTTP/1.1 as ALPN decides,
// never following a redirect, never changing a body.
type Upstream struct {
	options   UpstreamOptions
	tls       *tls.Config
	transport *http.Transport
	single    *singleConn // nil = pooled connections
	upgrading *http.Transport
	// http1 is whether the latest TLS handshake gave no HTTP/2.
	http1 atomic.Bool

	mu   sync.Mutex
	open map[*upstreamConn]struct{}
}

// A connectError says that no connection came about, so that nothing was sent.
type connectError struct{ error }

// Unwrap returns the cause.
func (e connectError) Unwrap() error { return e.error }

// NewUpstream returns an upstream that has not connected yet.
func NewUpstream(options UpstreamOptions) *Upstream {
	if options.DialTimeout == 0 {
		options.DialTimeout = dialTimeout
	}
	u := &Upstream{
		options: options,
		tls: &tls.Config{
			RootCAs:    options.Roots,
			ServerName: options.Origin.Hostname(),
			MinVersion: tls.VersionTLS12,
			NextProtos: []string{"h2", "http/1.1"},
		},
		open: map[*upstreamConn]struct{}{},
	}
	if options.Certificate != nil {
		u.tls.Certificates = []tls.Certificate{*options.Certificate}
	}
	u.transport = u.newTransport()
	u.upgrading = u.newUpgrading()
	if options.SingleConnection {
		u.single = &singleConn{dial: u.dialSingle}
	}
	return u
}

func (u *Upstream) newTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := u.dialTLS(ctx, network, addr, u.tls)
			if err == nil {
				u.http1.Store(conn.ConnectionState().NegotiatedProtocol != "h2")
			}
			return conn, err
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

// dialTLS connects and shakes hands within one bound, which net/http's own steps
// would each have for themselves.
func (u *Upstream) dialTLS(ctx context.Context, network, addr string, conf *tls.Config) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, u.options.DialTimeout)
	defer cancel()
	raw, err := (&net.Dialer{ControlContext: u.options.Control}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, connectError{err}
	}
	conn := tls.Client(u.keep(raw), conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		conn.NetConn().Close() // without TLS's goodbye, which might wait
		return nil, connectError{err}
	}
	return conn, nil
}

// RoundTrip implements [http.RoundTripper].
func (u *Upstream) RoundTrip(req *http.Request) (*http.Response, error) {
	sending(req.Context())
	if req.Header.Get("Upgrade") != "" {
		return u.upgrading.RoundTrip(req)
	}
	if u.single != nil && !u.http1.Load() {
		resp, err := u.single.RoundTrip(req)
		if err != errNotHTTP2 {
			return resp, err
		}
	}
	return u.transport.RoundTrip(req)
}

// dialSingle makes the one connection. Over HTTP/1.1 one connection would mean
// that everything waits behind a downchannel, so there it is given up for the pool.
func (u *Upstream) dialSingle() (*http.ClientConn, error) {
	conn, err := u.transport.NewClientConn(context.Background(), u.options.Origin.Scheme, addressOf(u.options.Origin))
	if err != nil {
		return nil, err
	}
	if conn.Available() == 1 { // requests at a time: HTTP/1.1. One of HTTP/2 starts with 100
		conn.Close()
		return nil, errNotHTTP2
	}
	return conn, nil
}

func addressOf(origin *url.URL) string {
	port := origin.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(origin.Hostname(), port)
}

// Close ends all connections, with whatever is under way on them.
func (u *Upstream) Close() {
	if u.single != nil {
		u.single.close()
	}
	u.transport.CloseIdleConnections()
	u.upgrading.CloseIdleConnections()
	u.mu.Lock()
	open := slices.Collect(maps.Keys(u.open))
	u.mu.Unlock()
	for _, conn := range open {
		conn.Close()
	}
}

// An upstreamConn is on its upstream's list while it is open.
type upstreamConn struct {
	net.Conn
	upstream *Upstream
}

func (u *Upstream) keep(conn net.Conn) net.Conn {
	kept := &upstreamConn{Conn: conn, upstream: u}
	u.mu.Lock()
	u.open[kept] = struct{}{}
	u.mu.Unlock()
	u.tell(+1)
	return kept
}

// Close implements [net.Conn].
func (c *upstreamConn) Close() error {
	c.upstream.mu.Lock()
	_, open := c.upstream.open[c]
	delete(c.upstream.open, c)
	c.upstream.mu.Unlock()
	if open {
		c.upstream.tell(-1)
	}
	return c.Conn.Close()
}

func (u *Upstream) tell(delta int) {
	if u.options.Connections != nil {
		u.options.Connections(delta)
	}
}
