package upstream

import (
	"errors"
	"maps"
	"net/http"
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
