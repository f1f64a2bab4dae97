package proxy

import (
	"cmp"
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/tunnel"
)

// UnroutedOptions say how forward requests for hosts without a route are served.
type UnroutedOptions struct {
	// Dial connects to a host that a client named; see [tunnel.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Tunnels is who looks after the tunnels while they are open.
	Tunnels *tunnel.Group
	// Most is how many tunnels there may be at once. Zero = 1,024.
	Most int
	// ErrorLog gets what net/http has to say; nil = log's default.
	ErrorLog *log.Logger
}

// errAbsoluteTLS is about the absolute form with https: its client would have to
// leave TLS to us, and know whether we did it well.
var errAbsoluteTLS = errors.New("only http:// can be sent on in this form where no route belongs to the host")

const tunnelsMost = 1 << 10

var errTooMany = errors.New("as many tunnels are open as there may be")

// Unrouted serves forward requests for hosts without a route: a CONNECT becomes a
// tunnel whose bytes are not touched, plain http:// is sent on over HTTP/1.1. No
// credential comes near either.
type Unrouted struct {
	options   UnroutedOptions
	places    chan struct{} // one for each tunnel
	transport *http.Transport
	plain     http.Handler
}

// NewUnrouted returns a handler that has not connected yet.
func NewUnrouted(options UnroutedOptions) *Unrouted {
	o := &Unrouted{options: options, places: make(chan struct{}, cmp.Or(options.Most, tunnelsMost))}
	o.transport = o.newTransport()
	o.plain = Forward(ForwardOptions{Send: announced{o.transport}, ErrorLog: options.ErrorLog})
	return o
}

// An announced transport tells the client to go on before it sends, as [Upstream] does.
type announced struct{ http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (a announced) RoundTrip(req *http.Request) (*http.Response, error) {
	sendContinue(req.Context())
	return a.RoundTripper.RoundTrip(withConnTrace(req))
}

// ServeHTTP implements [http.Handler].
func (o *Unrouted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	note(r.Context(), func(e *Exchange) { e.Path = address(r) })
	switch {
	case r.Method == http.MethodConnect:
		o.tunnel(w, r)
	case r.URL.Scheme == "http":
		note(r.Context(), func(e *Exchange) { e.Decision = NoCredential })
		o.plain.ServeHTTP(w, r)
	default:
		ForwardOptions{}.fail(w, r, errAbsoluteTLS)
	}
}

// Close ends the connections that no request uses.
func (o *Unrouted) Close() { o.transport.CloseIdleConnections() }

// address is the request's target, without what may be secret in it: with the host,
// which a route's name would else tell.
func address(r *http.Request) string {
	if r.Method == http.MethodConnect {
		return r.Host
	}
	return r.URL.Scheme + "://" + r.Host + r.URL.EscapedPath()
}

func (o *Unrouted) newTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            o.dial,
		Protocols:              &protocols,
		DisableCompression:     true, // or Go would ask for gzip and unpack it: other bytes than were sent
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           idleMost,
		MaxResponseHeaderBytes: headMost,
	}
}

func (o *Unrouted) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := o.options.Dial(ctx, network, addr)
	if err != nil {
		return nil, connectError{err}
	}
	return conn, nil
}

// tunnel says 200 once there is a connection, and not before.
func (o *Unrouted) tunnel(w http.ResponseWriter, r *http.Request) {
	select {
	case o.places <- struct{}{}:
		defer func() { <-o.places }()
	default:
		ForwardOptions{}.fail(w, r, errTooMany)
		return
	}
	authority, _ := exchange.ParseAuthority(r.Host)
	target, err := o.dial(r.Context(), "tcp", net.JoinHostPort(authority.Host, authority.Port))
	if err != nil {
		ForwardOptions{}.fail(w, r, err)
		return
	}
	decide(r.Context(), Tunnelled)
	client, err := tunnel.Accept(w, r)
	if err != nil {
		target.Close()
		decide(r.Context(), "")
		panic(http.ErrAbortHandler) // the client is gone
	}
	if o := observationOf(r.Context()); o != nil && r.ProtoMajor == 1 {
		o.head(http.StatusOK, http.Header{}) // which went past our writer
	}
	up, down := o.options.Tunnels.Relay(client, target)
	note(r.Context(), func(e *Exchange) { e.Sent, e.Written = up, down })
}

// explainOther is [explain] for a host that no route names.
func explainOther(err error, host string) problem.Problem {
	var forbidden *tunnel.Forbidden
	switch {
	case errors.As(err, new(uploadError)):
		return badUpload()
	case errors.As(err, &forbidden):
		return notAllowed(forbidden, "ask that host without this proxy")
	case errors.Is(err, errAbsoluteTLS):
		return notAllowed(err, "use CONNECT, as clients do for https:// (curl -p)")
	case errors.Is(err, errTooMany):
		return problem.Problem{
			Code: problem.Busy, Title: "too much is under way",
			Detail: "no connection to " + host + ": " + err.Error(), Hint: "close some of them and try again", RetryAfter: time.Second,
		}
	case isTimeout(err):
		return problem.Problem{
			Code: problem.UpstreamTimeout, Title: "the upstream did not answer in time",
			Detail: "no connection to " + host + " in time; nothing was sent",
			Hint:   "check the network, and that the host is up",
		}
	}
	detail, _ := describe(err) // the hints are about routes
	return problem.Problem{
		Code: problem.UpstreamUnreachable, Title: "the upstream could not be reached",
		Detail: host + ": " + detail, Hint: "check the network and the host's name and port",
	}
}
