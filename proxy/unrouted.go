package proxy

import (
	"cmp"
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/tunnel"
	"avsproxy/internal/upstream"
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
	plain     forwarder
}

// NewUnrouted returns a handler that has not connected yet.
func NewUnrouted(options UnroutedOptions) *Unrouted {
	o := &Unrouted{options: options, places: make(chan struct{}, cmp.Or(options.Most, tunnelsMost))}
	o.transport = upstream.Plain(o.dial)
	o.plain = forwarder{rewrite: o.rewrite, send: o.send, fail: o.fail, errorLog: options.ErrorLog}
	return o
}

func (o *Unrouted) serve(w *responseWriter, r *http.Request, x *exchange.Exchange) {
	switch {
	case r.Method == http.MethodConnect:
		o.tunnel(w, r, x)
	case r.URL.Scheme == "http":
		x.Decide(exchange.NoCredential)
		o.plain.forward(w, r, x, nil, nil, func(http.Header) {})
	default:
		o.fail(w, r, x, errAbsoluteTLS)
	}
}

func (o *Unrouted) rewrite(pr *httputil.ProxyRequest) {
	dropTrailers(pr.In.Trailer, nil)
	pr.Out.Trailer = pr.In.Trailer // the same map: it is filled in when the body ends
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery
	keepTarget(pr.Out.URL, &url.URL{}, pr.In)
	keepForwarded(httpexchange.Fields(pr.Out.Header), httpexchange.Fields(pr.In.Header))
	(&Policy{}).setFields(httpexchange.Fields(pr.Out.Header), false)
}

// send tells the client to go on before it sends, as [upstream.Upstream] does.
func (o *Unrouted) send(x *exchange.Exchange, req *http.Request, _ *begun) (*http.Response, error) {
	x.SendContinue()
	resp, err := o.transport.RoundTrip(upstream.WithConnTrace(x, req))
	if err == nil {
		dropOurs(httpexchange.Fields(resp.Header))
	}
	return resp, err
}

func (o *Unrouted) fail(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, err error) {
	answerProblem(w, r, x, err, explainOther(err, r.Host))
}

// Close ends the connections that no request uses.
func (o *Unrouted) Close() { o.transport.CloseIdleConnections() }

func (o *Unrouted) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := o.options.Dial(ctx, network, addr)
	if err != nil {
		return nil, upstream.NotConnected(err)
	}
	return conn, nil
}

// tunnel says 200 once there is a connection, and not before.
func (o *Unrouted) tunnel(w *responseWriter, r *http.Request, x *exchange.Exchange) {
	select {
	case o.places <- struct{}{}:
		defer func() { <-o.places }()
	default:
		o.fail(w, r, x, errTooMany)
		return
	}
	authority, _ := exchange.ParseAuthority(r.Host)
	target, err := o.dial(r.Context(), "tcp", net.JoinHostPort(authority.Host, authority.Port))
	if err != nil {
		o.fail(w, r, x, err)
		return
	}
	x.Decide(exchange.Tunnelled)
	client, err := tunnel.Accept(w, r)
	if err != nil {
		target.Close()
		x.Decide("")
		panic(http.ErrAbortHandler) // the client is gone
	}
	if r.ProtoMajor == 1 {
		w.handler.noteAnswer(x, time.Now(), http.StatusOK, httpexchange.Fields{}) // which went past our writer
	}
	up, down := o.options.Tunnels.Relay(client, target)
	x.Note(func(f *exchange.Facts) { f.Sent, f.Written = up, down })
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
	case upstream.IsTimeout(err):
		return problem.Problem{
			Code: problem.UpstreamTimeout, Title: "the upstream did not answer in time",
			Detail: "no connection to " + host + " in time; nothing was sent",
			Hint:   "check the network, and that the host is up",
		}
	}
	detail, _ := upstream.Describe(err) // the hints are about routes
	return problem.Problem{
		Code: problem.UpstreamUnreachable, Title: "the upstream could not be reached",
		Detail: host + ": " + detail, Hint: "check the network and the host's name and port",
	}
}
