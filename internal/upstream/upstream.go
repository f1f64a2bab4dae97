package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/h2"
)

// Options say how to reach one upstream.
type Options struct {
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
	// DialTimeout bounds connecting, with the TLS handshake and the wait for the first
	// SETTINGS of HTTP/2. Zero = 10 s.
	DialTimeout time.Duration
	// HeaderTimeout bounds the wait for an answer's head. Zero = none, which long
	// polls and downchannels need.
	HeaderTimeout time.Duration
	// Proxy chooses the proxy on the way to the origin, by its URL: http and https (for
	// CONNECT), socks5 and socks5h. Nil, or nil from it = direct.
	Proxy func(*url.URL) (*url.URL, error)
	// Control, if set, judges each address before it is dialed, a proxy's too; see [net.Dialer].
	Control func(ctx context.Context, network, address string, c syscall.RawConn) error
	// Dial makes the connections below TLS; nil = [net.Dialer] with Control.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Connections, if set, hears +1 and -1 as connections come and go.
	Connections func(delta int)
	// ErrorLog gets the faults of this program; nil = log's default.
	ErrorLog *log.Logger
	// Standard has net/http send what goes over HTTP/1.x.
	Standard bool
	// Group has the sessions, so that streams of clients in the same group can be
	// relayed; nil = one of its own.
	Group *h2.Group
	// OnEvent, if set, hears what becomes of HTTP/2 connections, with the cause where there
	// is one. It must not wait.
	OnEvent func(event Event, cause error)
}

const (
	DialTimeout  = 10 * time.Second
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
	options   Options
	address   string // of the origin
	tls       *tls.Config
	group     *h2.Group       // of the HTTP/2 sessions
	pool      *connPool       // over HTTP/2
	conns     *http1Conns     // over HTTP/1.1
	transport *http.Transport // over HTTP/1.x, of the standard engine
	upgrading *http.Transport
	// http1 is whether the latest TLS handshake gave no HTTP/2.
	http1 atomic.Bool

	mu     sync.Mutex
	open   map[*upstreamConn]struct{}
	number uint64 // of the latest connection
}

// A connectError says that no connection came about, so that nothing was sent.
type connectError struct{ error }

// Unwrap returns the cause.
func (e connectError) Unwrap() error { return e.error }

// NotConnected returns an error which says that no connection came about, because of err.
func NotConnected(err error) error { return connectError{err} }

// IsNotConnected reports whether a request was not sent because no connection came about.
func IsNotConnected(err error) bool { return errors.As(err, new(connectError)) }

// New returns an upstream that has not connected yet.
func New(options Options) *Upstream {
	if options.DialTimeout == 0 {
		options.DialTimeout = DialTimeout
	}
	if options.Dial == nil {
		options.Dial = (&net.Dialer{ControlContext: options.Control}).DialContext
	}
	if options.ErrorLog == nil {
		options.ErrorLog = log.Default()
	}
	if options.Group == nil {
		options.Group = new(h2.Group)
	}
	u := &Upstream{
		options: options, address: originOf(options.Origin), group: options.Group,
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
	u.conns = &http1Conns{dial: u.dialHTTP1, group: u.group, timeout: options.DialTimeout, header: options.HeaderTimeout}
	u.transport = u.newTransport()
	u.upgrading = u.newUpgrading()
	u.pool = &connPool{
		dial: u.dialLink, single: options.SingleConnection, timeout: options.DialTimeout, header: options.HeaderTimeout, ping: options.PingInterval,
		onEvent: options.OnEvent, connected: make(chan struct{}, 1),
	}
	return u
}

// Close ends all connections, with whatever is under way on them.
func (u *Upstream) Close() {
	u.pool.close()
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
	number   uint64
	// handshake is how long that of TLS took; zero = there was none.
	handshake time.Duration
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

// UseConn has the upstream speak HTTP/2 over a connection to its origin that there is, instead
// of dialing. It is for who measures the rest.
func (u *Upstream) UseConn(conn net.Conn) {
	u.pool.dial = func(gone func(*pooledConn, error)) (*pooledConn, error) {
		return u.newLink(context.Background(), conn, gone)
	}
}

// Origin implements [Sender].
func (u *Upstream) Origin() *url.URL { return u.options.Origin }

// Send implements [Sender].
func (u *Upstream) Send(x *exchange.Exchange, req *http.Request, authorize Authorize) (*http.Response, error) {
	return u.SendAgain(x, req, authorize, nil)
}

// SendAgain sends a request whose first try, by [Place.Relay], has failed, if that may be.
func (u *Upstream) SendAgain(x *exchange.Exchange, req *http.Request, authorize Authorize, failed error) (*http.Response, error) {
	if req.Header.Get("Upgrade") != "" {
		return u.pooled(u.upgrading, x, req, authorize)
	}
	for range 3 { // an upstream may change what it speaks
		http1 := u.http1.Load()
		if http1 && u.options.Standard {
			break
		}
		from := places(u.pool)
		if http1 {
			from = u.conns
		}
		resp, err := send(from, x, req, authorize, failed)
		if err != errNotHTTP2 && err != errHTTP2 {
			return resp, err
		}
	}
	return u.pooled(u.transport, x, req, authorize)
}

// pooled sends a request by net/http's own pool, which may wait for a connection between
// here and the wire.
func (u *Upstream) pooled(t *http.Transport, x *exchange.Exchange, req *http.Request, authorize Authorize) (*http.Response, error) {
	x.SendContinue()
	out, err := authorize.Finish(req)
	if err == ErrStale {
		return nil, err
	}
	if err != nil {
		return nil, Refuse(req, err)
	}
	if authorize == nil {
		return t.RoundTrip(WithConnTrace(x, out))
	}
	var late error
	trace := &httptrace.ClientTrace{GotConn: func(conn httptrace.GotConnInfo) {
		if late = authorize.renew(req, out); late != nil {
			conn.Conn.Close() // so that nothing is sent
		}
	}}
	resp, err := t.RoundTrip(WithConnTrace(x, out.WithContext(httptrace.WithClientTrace(out.Context(), trace))))
	if err != nil && late != nil {
		return nil, late
	}
	return resp, err
}

// Keep makes the single connection ahead of the first request, and again whenever it is
// lost: after 0.25, 1, 3, 5, 10 and then every 20 s, each times 0.67 to 1.5. It makes the
// same pauses where the upstream ends connections that nobody uses; a request does not
// wait for those. No connection is tried after 50 within 10 minutes that failed, were lost,
// or ended without having served. While it runs, requests that find the connection lost
// wait for the next one, up to the dial timeout. It returns when ctx ends; at once where
// SingleConnection is not set, and when the upstream turns out to speak no HTTP/2.
func (u *Upstream) Keep(ctx context.Context) {
	if !u.pool.single {
		return
	}
	u.pool.keep(ctx)
}

// Trouble is what is known to be wrong with the single connection; nil = nothing is.
func (u *Upstream) Trouble() *Trouble { return u.pool.trouble(u.options.Origin.Host) }
