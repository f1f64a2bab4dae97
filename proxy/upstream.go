package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
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
	// DialTimeout bounds connecting and, again, the TLS handshake. Zero = 10 s.
	DialTimeout time.Duration
	// HeaderTimeout bounds the wait for an answer's head. Zero = none, which long
	// polls and downchannels need.
	HeaderTimeout time.Duration
	// Connections, if set, hears +1 and -1 as connections come and go.
	Connections func(delta int)
}

const (
	dialTimeout  = 10 * time.Second
	pingPatience = 15 * time.Second
	idleTimeout  = 90 * time.Second // of spare pooled connections
	idleMost     = 64               // spare HTTP/1.1 connections kept
	headMost     = 1 << 20          // bytes of an answer's head
)

// An Upstream sends requests to one origin: HTTP/2 or HTTP/1.1 as ALPN decides,
// never following a redirect, never changing a body.
type Upstream struct {
	options   UpstreamOptions
	transport *http.Transport
	single    *singleConn // nil = pooled connections
	// http1 is whether the latest TLS handshake gave no HTTP/2.
	http1 atomic.Bool
}

// NewUpstream returns an upstream that has not connected yet.
func NewUpstream(options UpstreamOptions) *Upstream {
	if options.DialTimeout == 0 {
		options.DialTimeout = dialTimeout
	}
	u := &Upstream{options: options}
	u.transport = u.newTransport()
	if options.SingleConnection {
		u.single = &singleConn{dial: u.dialSingle}
	}
	return u
}

func (u *Upstream) newTransport() *http.Transport {
	conf := &tls.Config{
		RootCAs:    u.options.Roots,
		MinVersion: tls.VersionTLS12,
		VerifyConnection: func(state tls.ConnectionState) error {
			u.http1.Store(state.NegotiatedProtocol != "h2")
			return nil // certificates were verified before this is called
		},
	}
	if u.options.Certificate != nil {
		conf.Certificates = []tls.Certificate{*u.options.Certificate}
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		DialContext:            u.dial,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    u.options.DialTimeout,
		Protocols:              &protocols,
		DisableCompression:     true, // or Go would ask for gzip and unpack it: other bytes than were sent
		ResponseHeaderTimeout:  u.options.HeaderTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    idleMost,
		MaxResponseHeaderBytes: headMost,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: u.options.PingInterval,
			PingTimeout:     pingPatience,
		},
	}
}

func (u *Upstream) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: u.options.DialTimeout}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil || u.options.Connections == nil {
		return conn, err
	}
	u.options.Connections(+1)
	return &countedConn{Conn: conn, gone: u.options.Connections}, nil
}

// RoundTrip implements [http.RoundTripper].
func (u *Upstream) RoundTrip(req *http.Request) (*http.Response, error) {
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
	ctx, cancel := context.WithTimeout(context.Background(), 2*u.options.DialTimeout)
	defer cancel()
	conn, err := u.transport.NewClientConn(ctx, u.options.Origin.Scheme, addressOf(u.options.Origin))
	if err != nil {
		return nil, err
	}
	if u.http1.Load() {
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
}

// A countedConn tells when it is closed, once.
type countedConn struct {
	net.Conn
	gone   func(delta int)
	closed atomic.Bool
}

func (c *countedConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.gone(-1)
	}
	return c.Conn.Close()
}
