package proxy

import (
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
)

// A responseWriter writes the answer to an exchange, and notes what it was. For answers
// that are relayed it makes up for three habits of what it is used by.
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
//
// [http.ResponseController] reaches the writer below by Unwrap.
type responseWriter struct {
	http.ResponseWriter
	exchange *exchange.Exchange
	request  *http.Request // the client's
	handler  *Handler
	status   int // of the final answer; 0 = none
	written  int64
	failed   error     // of writing
	switched *switched // the upstream's side, where the connection was taken over

	adapt     func(http.Header) // changes the head of an answer that is relayed; nil = it is ours
	expected  bool              // the client waits for a 100
	continued bool              // and has got it
	last      atomic.Bool       // what is written next, or was written last, ends the answer
}

func newResponseWriter(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, h *Handler) *responseWriter {
	return &responseWriter{ResponseWriter: w, exchange: x, request: r, handler: h}
}

// relay prepares for an answer of an upstream.
func (w *responseWriter) relay(adapt func(http.Header)) {
	w.adapt = adapt
	r := w.request
	w.expected = r.ProtoMajor == 1 && r.ProtoAtLeast(1, 1) && r.ContentLength != 0 &&
		httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue")
	w.exchange.Continue = func() {
		if w.expected && !w.continued {
			w.WriteHeader(http.StatusContinue)
		}
	}
}

// Unwrap is for [http.ResponseController].
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader passes one 100 only: the upstream says its own.
func (w *responseWriter) WriteHeader(status int) {
	if status == http.StatusContinue && w.expected {
		if w.continued {
			return
		}
		w.continued = true
	}
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.begin(status)
	} else if !w.request.ProtoAtLeast(1, 1) {
		return // RFC 9110 section 15.2: such a client would take it for the answer
	} else {
		w.interim(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// begin notes the head of the answer.
func (w *responseWriter) begin(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	h := w.Header()
	if w.adapt != nil && status >= 200 {
		if _, said := h["Content-Type"]; !said {
			h["Content-Type"] = nil
		}
		if w.request.Method == http.MethodHead || status == http.StatusNoContent ||
			status == http.StatusNotModified || h.Get("Content-Length") == "0" {
			w.last.Store(true)
		}
	}
	w.handler.noteAnswer(w.exchange, time.Now(), status, httpexchange.Fields(h))
}

// noteAnswer notes the head of an answer. It adds what was decided, where the client is to
// know that.
func (d *Handler) noteAnswer(x *exchange.Exchange, now time.Time, status int, h exchange.Fields) {
	if lasts(x.Head, status, h) {
		d.Lasting.count.Add(1)
		x.Note(func(f *exchange.Facts) { f.Lasts = true })
	}
	code := ""
	if values := h.Values(problem.Header); len(values) > 0 {
		code = values[0]
	}
	var soFar exchange.Facts
	x.Note(func(f *exchange.Facts) {
		f.Status, f.FirstByte, f.Error = status, now.Sub(f.Began), code
		soFar = *f
	})
	if d.Observer.DecisionHeader {
		if said := decisionOf(soFar); said != "" {
			exchange.Set(h, DecisionHeader, said)
		}
	}
	if x.Recorder != nil {
		x.Recorder.Response(soFar, h)
	}
}

func (w *responseWriter) interim(status int) {
	h := w.Header()
	if w.adapt != nil {
		w.adapt(h)
	}
	h.Del(problem.Header)
	h.Del(DecisionHeader)
	if w.exchange.Recorder != nil {
		w.exchange.Recorder.Interim(status, httpexchange.Fields(h))
	}
}

// Write implements [io.Writer].
func (w *responseWriter) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	if w.request.Method == http.MethodHead { // net/http takes the bytes, and sends none
		return w.ResponseWriter.Write(p)
	}
	tunnel := w.request.Method == http.MethodConnect && w.status < 300 // what is in it is nobody's business
	if w.exchange.Recorder != nil && !tunnel {
		w.exchange.Recorder.ResponseData(p)
	}
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	if err != nil {
		w.failed = err
	}
	return n, err
}

// FlushError is what [http.ResponseController] calls.
func (w *responseWriter) FlushError() error {
	if w.last.Load() {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// count sets the status and the sizes. The bytes of a tunnel do not come by here.
func (w *responseWriter) count(f *exchange.Facts) {
	switch {
	case f.Decision == exchange.Tunnelled:
	case w.status != 0:
		f.Status, f.Written = w.status, w.written
	case w.switched != nil:
		f.Status, f.Written, f.Sent = http.StatusSwitchingProtocols, w.switched.read.Load(), w.switched.wrote.Load()
	default:
		f.Status, f.Written = statusClientGone, w.written
	}
}
