package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"avsproxy/internal/wire"
)

// sendTries bounds how often one request is offered to a fresh connection.
const sendTries = 3

// An unprocessed error is about a request that the upstream did not and will not
// look at (RFC 9113 section 8.7).
type unprocessed struct{ error }

// Unwrap returns the cause.
func (u unprocessed) Unwrap() error { return u.error }

// RoundTrip sends a request again where that is safe: the upstream did not look at it
// and its body can begin anew, or the connection was lost under a request that only
// asks.
func (s *links) RoundTrip(req *http.Request) (*http.Response, error) {
	body := sendableOf(req)
	for try := 1; ; try++ {
		began := time.Now()
		l, err := s.get(req.Context())
		waited := time.Since(began)
		if err != nil {
			note(req.Context(), func(e *Exchange) { e.Connect += waited })
		}
		if err == errNotHTTP2 && try == 1 {
			return nil, err // the caller sends the request, body and all, in another way
		}
		if err == errNotHTTP2 { // it did before: the body has begun
			err = unprocessed{err}
		}
		if err != nil {
			body.close()
			return nil, err
		}
		sending(req.Context())
		noteHop(req, l.base, l.used.Swap(true), waited)
		resp, stream, err := l.roundTrip(body.attempt(req))
		if err == nil {
			body.forget()
			l.tellLeaving(req.Context())
			return resp, nil
		}
		fate := fateOf(req, l, stream)
		if fate == onlyAsked && try > 1 { // its answer may be what ends connections
			fate = mayHaveBeenRead
		}
		if l.retired() {
			s.retire(l, err)
		}
		if fate == mayHaveBeenRead || !body.restartable() || req.Context().Err() != nil || try == sendTries {
			body.close()
			return nil, fate.told(err)
		}
	}
}

// A fate is what is known of a request that failed.
type fate int

const (
	mayHaveBeenRead fate = iota
	onlyAsked            // it may have been read, and may be sent again
	neverRead
)

func fateOf(req *http.Request, l *link, stream *wire.Stream) fate {
	switch {
	case stream == nil || stream.Unprocessed():
		return neverRead
	case (l.lost() || l.conn.Err() != nil) && onlyAsks(req):
		return onlyAsked
	}
	return mayHaveBeenRead
}

func (f fate) told(err error) error {
	if f == neverRead && !errors.Is(err, context.Canceled) {
		return unprocessed{err}
	}
	return err
}

// onlyAsks reports whether a request is safe (RFC 9110 section 9.2.1) and has no body.
func onlyAsks(req *http.Request) bool {
	return (req.Body == nil || req.Body == http.NoBody) &&
		(req.Method == http.MethodGet || req.Method == http.MethodHead || req.Method == http.MethodOptions)
}
