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
	return route.send(x, req, nil)
}

// send is Send for a request of which something may have been done before.
func (route *Route) send(x *exchange.Exchange, req *http.Request, before *begun) (*http.Response, error) {
	if before == nil {
		before = &begun{}
		if err := route.begin(req.Context(), x, before); err != nil {
			return nil, upstream.Refuse(req, err)
		}
	}
	followers, to := before.followers, before.to
	resp, err := route.authorize(x, aim(req, route.Origin, to.Origin()), before)
	if err != nil {
		followers.end(err)
		return nil, err
	}
	dropOurs(httpexchange.Fields(resp.Header))
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
func (route *Route) authorize(x *exchange.Exchange, req *http.Request, before *begun) (*http.Response, error) {
	to := before.to
	if err := CheckOrigin(req, to.Origin()); err != nil {
		return nil, upstream.Refuse(req, err)
	}
	decision, err := route.Credential.Decide(httpexchange.Fields(req.Header))
	switch {
	case err != nil:
		return nil, upstream.Refuse(req, err)
	case decision != exchange.Injected:
		x.Decide(decision)
		return before.send(x, req, nil)
	}
	return (&injection{&route.Credential, x, before}).send(req)
}

// An injection sends one request with a token.
type injection struct {
	*Credential
	exchange *exchange.Exchange
	*begun
}

// send sends the request. Where the upstream refuses the token, it is renewed once for
// all requests that it refuses, and the request is sent once more; where that cannot be,
// the refusal stays the answer, untouched. No byte of an answer has reached the client by
// then.
func (i *injection) send(req *http.Request) (*http.Response, error) {
	body := upstream.NewReplayableBody(req)
	defer body.Forget()
	resp, token, err := i.first(req, body)
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

// first returns the answer that there is, or else sends the request.
func (i *injection) first(req *http.Request, body *upstream.ReplayableBody) (*http.Response, tokens.Token, error) {
	if i.answer == nil {
		return i.sendOnce(req, body)
	}
	answer := *i.answer
	answer.Request = req
	body.Fill(i.kept)
	return &answer, i.used, nil
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
		resp, err := i.begun.send(i.exchange, body.Attempt(req), authorize)
		if err == nil && i.refused(resp) {
			i.Source.Reject(token)
		}
		if err != upstream.ErrStale {
			return resp, token, err
		}
	}
	return nil, token, upstream.Refuse(req, staleError())
}

func staleError() error {
	return &tokens.Error{Action: tokens.ActionRetry, Message: upstream.ErrStale.Error(), Hint: "try again"}
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
		noteToken(f, i.Source.Name, token, now)
	})
	return token, err
}

// noteToken notes a token; the zero value = there is none.
func noteToken(f *exchange.Facts, name string, token tokens.Token, now time.Time) {
	f.Credential, f.TokenAge, f.TokenLeft = name, -1, -1
	if !token.Obtained.IsZero() {
		f.TokenAge = max(0, now.Sub(token.Obtained))
	}
	if !token.Expiry.IsZero() {
		f.TokenLeft = max(0, token.Expiry.Sub(now))
	}
}

// liveToken returns the token that lives now. It does not wait for one.
func (i *injection) liveToken() (tokens.Token, error) {
	token, err := i.token(waitsForNothing)
	if err != nil {
		return token, upstream.ErrStale
	}
	return token, nil
}

var waitsForNothing = func() context.Context {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	return over
}()

func (i *injection) refused(resp *http.Response) bool {
	return slices.Contains(i.HealOn, resp.StatusCode)
}

// replayable reports whether a request, whose body is at hand, means the same when
// it comes a little later. Speech that was streamed while somebody spoke does not,
// and what a WebSocket's client sent behind its handshake is gone.
func replayable(req *http.Request) bool {
	streamed := req.ContentLength < 0 && isMultipart(req.Header.Get("Content-Type"))
	return !streamed && req.Header.Get("Upgrade") == ""
}

func isMultipart(contentType string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(contentType)), "multipart/")
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

// A begun is what was done of an exchange so far. Once there is a failure or an answer, one
// try to send it was made.
type begun struct {
	followers followers
	to        upstream.Sender
	failed    error          // how the first try ended; nil = it did not
	answer    *http.Response // to it, which refuses the token; nil = none
	used      tokens.Token   // in it
	kept      int            // bytes of the body that came before the answer
}

// begin asks the stages, in their order, and chooses the upstream.
func (route *Route) begin(ctx context.Context, x *exchange.Exchange, b *begun) error {
	for _, stage := range route.Stages {
		follower, err := stage.Follow(ctx, x)
		if err != nil {
			b.followers.end(err)
			b.followers = nil
			return err
		}
		b.follow(follower)
	}
	var follower exchange.Follower
	b.to, follower = route.Upstream()
	b.follow(follower)
	return nil
}

func (b *begun) follow(follower exchange.Follower) {
	if follower != nil {
		b.followers = append(b.followers, follower)
	}
}

// send sends the request, the first time as one whose first try has failed, if it has.
func (b *begun) send(x *exchange.Exchange, req *http.Request, authorize upstream.Authorize) (*http.Response, error) {
	again, ok := b.to.(interface {
		SendAgain(*exchange.Exchange, *http.Request, upstream.Authorize, error) (*http.Response, error)
	})
	if failed := b.failed; failed != nil && ok {
		b.failed = nil
		return again.SendAgain(x, req, authorize, failed)
	}
	return b.to.Send(x, req, authorize)
}
