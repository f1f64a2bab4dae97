package proxy

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"avsproxy/tokens"
)

// send sends a request with token. Where the upstream refuses the token, it is
// renewed once for all whom that befell, and the request is sent once more; where
// that cannot be, the refusal stays the answer, untouched. No byte of an answer has
// reached the client by then.
func (i *Injector) send(req *http.Request, token tokens.Token, keep bool) (*http.Response, error) {
	body := sendableOf(req)
	defer body.forget()
	resp, err := i.sendOnce(req, body, token, keep)
	if err != nil || !i.refused(resp) || !replayable(req) || !atHand(body, resp) {
		return resp, err
	}
	next, err := i.token(req.Context())
	if err != nil || next.Access == token.Access {
		return resp, nil
	}
	discard(resp)
	note(req.Context(), func(e *Exchange) { e.Replayed = true })
	return i.sendOnce(req, body, next, keep)
}

func (i *Injector) sendOnce(req *http.Request, body *sendable, token tokens.Token, keep bool) (*http.Response, error) {
	resp, err := i.Next.RoundTrip(body.attempt(i.withToken(req, token, keep)))
	if err == nil && i.refused(resp) {
		i.Source.Reject(token)
	}
	return resp, err
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
func atHand(body *sendable, resp *http.Response) bool {
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
