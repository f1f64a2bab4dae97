package upstream

import (
	"context"
	"errors"
	"net/http"
	"time"

	"avsproxy/internal/h1"
	"avsproxy/internal/h2"
)

const (
	// sendTries are made at once of a request that the upstream did not process. Then
	// there are pauses, which grow from retryPause to retryPauseMost.
	sendTries      = 3
	retryPause     = 10 * time.Millisecond
	retryPauseMost = 100 * time.Millisecond
)

// An unprocessed error is about a request that the upstream did not and will not
// look at (RFC 9113 section 8.7).
type unprocessed struct{ error }

// Unwrap returns the cause.
func (u unprocessed) Unwrap() error { return u.error }

// A retry bounds how long a request that was not processed is sent again.
type retry struct {
	most  time.Duration
	tries int
	began time.Time // when the first one failed
	last  error     // of the latest
	asked bool      // it was sent again although it may have been read
}

// errorOf is what is told where no connection was had for another try: the upstream spoke
// HTTP/2 before, and the body has begun; or it refused the request, and then nothing came
// of waiting.
func (r *retry) errorOf(err error) error {
	switch {
	case err == errNotHTTP2:
		return unprocessed{err}
	case errors.As(r.last, new(unprocessed)) && IsTimeout(err) && !errors.As(err, new(*fullError)):
		return r.last
	}
	return err
}

func (r *retry) outcome(req *http.Request, err error) outcome {
	result := outcomeOf(req, err)
	if result == safeToRetry && r.asked { // its answer may be what ends connections
		return maybeProcessed
	}
	r.asked = r.asked || result == safeToRetry
	return result
}

// permits reports whether a request that ended with err is to be sent again. It waits until
// then.
func (r *retry) permits(req *http.Request, body *ReplayableBody, err error) bool {
	result := r.outcome(req, err)
	r.last = result.wrap(err)
	return result != maybeProcessed && body.restartable() && r.again(req.Context())
}

// Failure is what is told of a request whose try by [Place.Relay] failed, and which cannot be
// sent again.
func Failure(req *http.Request, err error) error { return outcomeOf(req, err).wrap(err) }

// again waits until the next try is due; false = there is none.
func (r *retry) again(ctx context.Context) bool {
	if r.tries++; r.tries == 1 {
		r.began = time.Now()
	}
	if ctx.Err() != nil || time.Since(r.began) >= r.most {
		return false
	}
	if r.tries < sendTries {
		return true
	}
	pause := min(retryPause<<min(r.tries-sendTries, 10), retryPauseMost)
	return Sleep(ctx, jittered(pause), nil)
}

// A outcome is what is known of a request that failed.
type outcome int

const (
	maybeProcessed outcome = iota
	safeToRetry            // it may have been read, and may be sent again
	notProcessed
)

func outcomeOf(req *http.Request, err error) outcome {
	var reset *h2.ResetError
	switch {
	case !errors.As(err, &reset):
		return maybeProcessed
	case reset.Unprocessed:
		return notProcessed
	case errors.As(err, new(h1.SyntaxError)): // it would say so again
		return maybeProcessed
	case reset.Err != nil && isSafe(req):
		return safeToRetry
	}
	return maybeProcessed
}

func (f outcome) wrap(err error) error {
	if f == notProcessed && !errors.Is(err, context.Canceled) {
		return unprocessed{err}
	}
	return err
}

// isSafe reports whether a request is safe (RFC 9110 section 9.2.1) and has no body.
func isSafe(req *http.Request) bool {
	return (req.Body == nil || req.Body == http.NoBody) &&
		(req.Method == http.MethodGet || req.Method == http.MethodHead || req.Method == http.MethodOptions)
}
