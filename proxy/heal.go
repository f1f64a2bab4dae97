package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"avsproxy/tokens"
)

// staleMost bounds how often a request waits for a token that has ended when it could be
// sent.
const staleMost = 3

// send sends a request with a token. Where the upstream refuses the token, it is
// renewed once for all whom that befell, and the request is sent once more; where
// that cannot be, the refusal stays the answer, untouched. No byte of an answer has
// reached the client by then.
func (i *Injector) send(req *http.Request, keep bool) (*http.Response, error) {
	body := newReplayableBody(req)
	defer body.forget()
	resp, token, err := i.sendOnce(req, body, keep)
	if err != nil || !i.refused(resp) || !replayable(req) || !atHand(body, resp) {
		return resp, err
	}
	next, err := i.token(req.Context())
	if err != nil || next.Access == token.Access {
		return resp, nil
	}
	discard(resp)
	note(req.Context(), func(e *Exchange) { e.Replayed = true })
	resp, _, err = i.sendOnce(req, body, keep)
	return resp, err
}

// sendOnce waits for a token first, so that nothing is dialed where there is none. The
// token that goes out, which it returns, is the one that lives when the request can go.
func (i *Injector) sendOnce(req *http.Request, body *replayableBody, keep bool) (*http.Response, tokens.Token, error) {
	var token tokens.Token
	authorize := func(out *http.Request) (*http.Request, error) {
		var err error
		if token, err = i.liveToken(out.Context()); err != nil {
			return nil, err
		}
		return i.withToken(out, token, keep), i.checkOrigin(out)
	}
	for range staleMost {
		if _, err := i.token(req.Context()); err != nil {
			return nil, token, refuse(req, fmt.Errorf("getting the token: %w", err))
		}
		decide(req.Context(), Injected)
		resp, err := i.hand(body.attempt(req), authorize)
		if err == nil && i.refused(resp) {
			i.Source.Reject(token)
		}
		if err != errStale {
			return resp, token, err
		}
	}
	return nil, token, refuse(req, &tokens.Error{Action: tokens.ActionRetry, Message: errStale.Error(), Hint: "try again"})
}

// liveToken returns the token that lives now. It does not wait for one.
func (i *Injector) liveToken(ctx context.Context) (tokens.Token, error) {
	over, cancel := context.WithCancel(ctx)
	cancel()
	token, err := i.tokenFor(ctx, over)
	if err != nil {
		return token, errStale
	}
	return token, nil
}

func (i *Injector) hand(req *http.Request, authorize Authorize) (*http.Response, error) {
	if sender, waits := i.Next.(Sender); waits {
		return sender.Send(req, authorize)
	}
	out, err := authorize(req)
	if err != nil {
		return nil, refuse(req, err)
	}
	return i.Next.RoundTrip(out)
}

func (i *Injector) refused(resp *http.Response) bool {
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
func atHand(body *replayableBody, resp *http.Response) bool {
	return body.whole() || resp.ProtoMajor == 2 && body.complete(resp.Request.Context())
}

// discard ends an answer that nobody will see. A short one is read to its end, so
// that its connection or stream ends well.
func discard(resp *http.Response) {
	const short = 2 << 10
	if resp.ContentLength >= 0 && resp.ContentLength <= short {
		_, _ = io.CopyN(io.Discard, resp.Body, short)
	}
	go resp.Body.Close() // see download.Close
}
