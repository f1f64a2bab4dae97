package upstream

import (
	"context"
	"net/http"
	"time"

	"avsproxy/internal/exchange"
)

// Places are the connections to an upstream, of one protocol.
type places interface {
	// connection reserves a place for a request, and notes how long that took.
	connection(ctx context.Context, x *exchange.Exchange, address string) (*pooledConn, error)
	// most is how long a request waits for what refuses it.
	most() time.Duration
}

// send sends a request again where that is safe: the upstream did not look at it and its
// body can begin anew, or the connection was lost under a request that only asks. What
// authorize adds is added to each attempt once it has a place on a connection. failed is how
// an attempt before ended; nil = there was none.
func send(from places, x *exchange.Exchange, req *http.Request, authorize Authorize, failed error) (*http.Response, error) {
	body, retry := NewReplayableBody(req), retry{most: from.most()}
	if failed != nil && !retry.permits(req, body, failed) {
		body.close()
		return nil, retry.last
	}
	for {
		l, err := from.connection(req.Context(), x, originOf(req.URL))
		if (err == errNotHTTP2 || err == errHTTP2) && retry.tries == 0 {
			return nil, err // the caller sends the request, body and all, in another way
		}
		if err != nil {
			err = retry.errorOf(err)
		}
		var out *http.Request
		if err == nil {
			out, err = l.authorized(body.Attempt(req), authorize)
		}
		if err == ErrStale {
			return nil, err // the caller gets another token, and comes again
		}
		if err != nil {
			body.close()
			return nil, err
		}
		resp, err := l.roundTrip(x, out)
		if err == nil {
			body.Forget()
			l.callDraining(req.Context(), x)
			return resp, nil
		}
		if !retry.permits(req, body, err) {
			body.close()
			return nil, retry.last
		}
	}
}
