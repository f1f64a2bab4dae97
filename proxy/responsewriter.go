package proxy

import (
	"context"
	"net/http"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"
)

// An responseWriter makes up for three habits of what it is used by.
//
// httputil.ReverseProxy flushes every piece at once, the head from a timer: over
// HTTP/2 that would put an empty DATA frame behind the last one, and gRPC takes a
// stream that was HEADERS alone for a broken one then. What is last goes out with
// the end.
//
// net/http says "100 Continue" when the body of an HTTP/1.1 request is first read,
// on whichever goroutine that is, and mixes it with a 103 that is written at that
// moment. So it is said before the request is sent, while nobody else writes.
//
// And net/http guesses a Content-Type where the answer has none and its first bytes
// come soon enough. That is the client's to do, or not to do.
type responseWriter struct {
	http.ResponseWriter
	request   *http.Request                    // the client's
	adapt     func(http.Header, *http.Request) // the head of an answer, to it
	expected  bool                             // the client waits for a 100
	continued bool                             // and has got it
	last      atomic.Bool                      // what is written next, or was written last, ends the answer
}

func newResponseWriter(w http.ResponseWriter, r *http.Request, adapt func(http.Header, *http.Request)) *responseWriter {
	expected := r.ProtoMajor == 1 && r.ProtoAtLeast(1, 1) && r.ContentLength != 0 &&
		httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue")
	return &responseWriter{ResponseWriter: w, request: r, adapt: adapt, expected: expected}
}

type responseWriterKey struct{}

// within lets responseWriterOf find w.
func (w *responseWriter) within(ctx context.Context) context.Context {
	return context.WithValue(ctx, responseWriterKey{}, w)
}

// responseWriterOf returns where the answer to a request is written; nil = not by [Forward].
func responseWriterOf(ctx context.Context) *responseWriter {
	w, _ := ctx.Value(responseWriterKey{}).(*responseWriter)
	return w
}

// sendContinue notes that the request is about to be sent, nothing more being in its way
// here: the client may go on.
func sendContinue(ctx context.Context) {
	if w := responseWriterOf(ctx); w != nil && w.expected && !w.continued {
		w.WriteHeader(http.StatusContinue)
	}
}

// endsWithNextWrite notes that what is written next ends the answer.
func endsWithNextWrite(ctx context.Context) {
	if w := responseWriterOf(ctx); w != nil {
		w.last.Store(true)
	}
}

func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader passes one 100 only: the upstream says its own.
func (w *responseWriter) WriteHeader(status int) {
	if status == http.StatusContinue && w.expected {
		if w.continued {
			return
		}
		w.continued = true
	}
	if status < 200 {
		w.adapt(w.Header(), w.request)
	} else {
		if _, said := w.Header()["Content-Type"]; !said {
			w.Header()["Content-Type"] = nil
		}
		if w.request.Method == http.MethodHead || status == http.StatusNoContent ||
			status == http.StatusNotModified || w.Header().Get("Content-Length") == "0" {
			w.last.Store(true)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// FlushError is what [http.ResponseController] calls.
func (w *responseWriter) FlushError() error {
	if w.last.Load() {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}
