package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/upstream"
	"avsproxy/tokens"
)

// maxStale bounds how often a request waits for a token that has ended when it could be
// sent.
const maxStale = 3

// Send sends a request of an exchange to the upstream, with the route's credential. The
// route's stages follow the exchange. What req has is for the configured origin.
func (route *Route) Send(x *exchange.Exchange, req *http.Request) (*http.Response, error) {
	followers, err := route.follow(req.Context(), x)
	if err != nil {
		followers.end(err)
		return nil, upstream.Refuse(req, err)
	}
	to, follower := route.Upstream()
	if follower != nil {
		followers = append(followers, follower)
	}
	resp, err := route.authorize(x, aim(req, route.Origin, to.Origin()), to)
	if err != nil {
		followers.end(err)
		return nil, err
	}
	dropOurs(resp.Header)
	followers.feed(resp)
	return resp, nil
}

// aim points a request for the configured origin at the present one. Requests that are
// for somewhere else stay so, which CheckOrigin then refuses.
func aim(req *http.Request, from, to *url.URL) *http.Request {
	if from == to || req.URL.Scheme != from.Scheme || req.URL.Host != from.Host {
		return req
	}
	out, target := *req, *req.URL
	target.Scheme, target.Host = to.Scheme, to.Host
	out.URL = &target
	if req.Host == from.Host {
		out.Host = to.Host
	}
	return &out
}

// authorize decides about the credential, and sends the request.
func (route *Route) authorize(x *exchange.Exchange, req *http.Request, to upstream.Sender) (*http.Response, error) {
	if err := CheckOrigin(req, to.Origin()); err != nil {
		return nil, upstream.Refuse(req, err)
	}
	decision, err := route.Credential.Decide(httpexchange.Fields(req.Header))
	switch {
	case err != nil:
		return nil, upstream.Refuse(req, err)
	case decision != exchange.Injected:
		x.Decide(decision)
		return to.Send(x, req, nil)
	}
	return (&injection{&route.Credential, x, to}).send(req)
}

// An injection sends one request with a token.
type injection struct {
	*Credential
	exchange *exchange.Exchange
	to       upstream.Sender
}

// send sends the request. Where the upstream refuses the token, it is renewed once for
// all requests that it refuses, and the request is sent once more; where that cannot be,
// the refusal stays the answer, untouched. No byte of an answer has reached the client by
// then.
func (i *injection) send(req *http.Request) (*http.Response, error) {
	body := upstream.NewReplayableBody(req)
	defer body.Forget()
	resp, token, err := i.sendOnce(req, body)
	if err != nil || !i.refused(resp) || !replayable(req) || !atHand(body, resp) {
		return resp, err
	}
	next, err := i.token(req.Context())
	if err != nil || next.Access == token.Access {
		return resp, nil
	}
	discard(resp)
	i.exchange.Note(func(f *exchange.Facts) { f.Replayed = true })
	resp, _, err = i.sendOnce(req, body)
	return resp, err
}

// sendOnce waits for a token first, so that nothing is dialed where there is none. The
// token that goes out, which it returns, is the one that lives when the request can go.
func (i *injection) sendOnce(req *http.Request, body *upstream.ReplayableBody) (*http.Response, tokens.Token, error) {
	var token tokens.Token
	authorize := func(out *http.Request) (*http.Request, error) {
		var err error
		if token, err = i.liveToken(); err != nil {
			return nil, err
		}
		return i.withToken(out, token), CheckOrigin(out, i.to.Origin())
	}
	for range maxStale {
		if _, err := i.token(req.Context()); err != nil {
			return nil, token, upstream.Refuse(req, fmt.Errorf("getting the token: %w", err))
		}
		i.exchange.Decide(exchange.Injected)
		resp, err := i.to.Send(i.exchange, body.Attempt(req), authorize)
		if err == nil && i.refused(resp) {
			i.Source.Reject(token)
		}
		if err != upstream.ErrStale {
			return resp, token, err
		}
	}
	return nil, token, upstream.Refuse(req, &tokens.Error{Action: tokens.ActionRetry, Message: upstream.ErrStale.Error(), Hint: "try again"})
}

// withToken returns a copy: who sends a request must not change it.
func (i *injection) withToken(req *http.Request, token tokens.Token) *http.Request {
	out := *req
	out.Header = req.Header.Clone()
	i.Apply(httpexchange.Fields(out.Header), token)
	return &out
}

// token gets one, and notes how long that took and what it is.
func (i *injection) token(ctx context.Context) (tokens.Token, error) {
	began := time.Now()
	token, err := i.Source.Token(ctx)
	now := time.Now()
	i.exchange.Note(func(f *exchange.Facts) {
		f.Token += now.Sub(began)
		f.Credential, f.TokenAge, f.TokenLeft = i.Source.Name, -1, -1
		if err == nil && !token.Obtained.IsZero() {
			f.TokenAge = max(0, now.Sub(token.Obtained))
		}
		if err == nil && !token.Expiry.IsZero() {
			f.TokenLeft = max(0, token.Expiry.Sub(now))
		}
	})
	return token, err
}

// liveToken returns the token that lives now. It does not wait for one.
func (i *injection) liveToken() (tokens.Token, error) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	token, err := i.token(over)
	if err != nil {
		return token, upstream.ErrStale
	}
	return token, nil
}

func (i *injection) refused(resp *http.Response) bool {
	return slices.Contains(i.HealOn, resp.StatusCode)
}

// replayable reports whether a request, whose body is at hand, means the same when
// it comes a little later. Speech that was streamed while somebody spoke does not,
// and what a WebSocket's client sent behind its handshake is gone.
func replayable(req *http.Request) bool {
	kind := strings.ToLower(strings.TrimSpace(req.Header.Get("Content-Type")))
	streamed := req.ContentLength < 0 && strings.HasPrefix(kind, "multipart/")
	return !streamed && req.Header.Get("Upgrade") == ""
}

// atHand reports whether the whole body is. A refusal stops net/http's upload over
// HTTP/2, of bytes too that have come and only were not read yet.
func atHand(body *upstream.ReplayableBody, resp *http.Response) bool {
	return body.Whole() || resp.ProtoMajor == 2 && body.Complete(resp.Request.Context())
}

// discard ends an answer that nobody will see. A short one is read to its end, so
// that its connection or stream ends well.
func discard(resp *http.Response) {
	const short = 2 << 10
	if resp.ContentLength >= 0 && resp.ContentLength <= short {
		_, _ = io.CopyN(io.Discard, resp.Body, short)
	}
	go resp.Body.Close() // see answerBody.Close
}

// follow asks the stages, in their order.
func (route *Route) follow(ctx context.Context, x *exchange.Exchange) (all followers, err error) {
	for _, stage := range route.Stages {
		follower, err := stage.Follow(ctx, x)
		if err != nil {
			return all, err
		}
		if follower != nil {
			all = append(all, follower)
		}
	}
	return all, nil
}
