package upstream

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"

	"avsproxy/internal/exchange"
)

// An Authorize returns a request as it is to go out: the credential is added here. It
// does not wait, and leaves the request that it is given alone. It is called anew for
// each attempt, when that has a connection and nothing is waited for any more: what was
// good before a wait may not be so after it.
// Nil leaves requests as they are.
type Authorize func(*http.Request) (*http.Request, error)

// Finish returns the request as it is to go out.
func (a Authorize) Finish(req *http.Request) (*http.Request, error) {
	if a == nil {
		return req, nil
	}
	return a(req)
}

// A Sender sends requests to one origin. It waits before it sends: for a connection, for a
// place on it, for another attempt.
type Sender interface {
	Origin() *url.URL
	Send(x *exchange.Exchange, req *http.Request, authorize Authorize) (*http.Response, error)
}

// ErrStale is what an Authorize says of a token that has ended, or was replaced, while no
// other is at hand. The request was not sent; its body is not closed.
var ErrStale = errors.New("the token ended while the request waited")

// Origin implements [Sender].
func (u *Upstream) Origin() *url.URL { return u.options.Origin }

// Send implements [Sender].
func (u *Upstream) Send(x *exchange.Exchange, req *http.Request, authorize Authorize) (*http.Response, error) {
	if req.Header.Get("Upgrade") != "" {
		return u.pooled(u.upgrading, x, req, authorize)
	}
	if !u.http1.Load() {
		resp, err := u.pool.send(x, req, authorize)
		if err != errNotHTTP2 {
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

// renew puts into out what req is to have now. Nobody reads out's header meanwhile.
func (a Authorize) renew(req, out *http.Request) error {
	now, err := a(req)
	if err != nil || maps.EqualFunc(now.Header, out.Header, slices.Equal) {
		return err
	}
	clear(out.Header)
	maps.Copy(out.Header, now.Header)
	return nil
}

// Refuse ends a request without sending it; who sends requests closes the body whatever
// happens.
func Refuse(req *http.Request, err error) error {
	if req.Body != nil {
		req.Body.Close()
	}
	return err
}
