package proxy

import "net/http"

// A bodilessWriter lets the head of an answer without a body go out with the
// end of the answer. httputil.ReverseProxy flushes every head at once, from a
// timer: over HTTP/2 that would make of one HEADERS frame, now and then, a
// HEADERS frame and an empty DATA frame.
type bodilessWriter struct {
	http.ResponseWriter
	method   string
	bodiless bool
}

func (w *bodilessWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *bodilessWriter) WriteHeader(status int) {
	if status >= 200 {
		w.bodiless = w.method == http.MethodHead || status == http.StatusNoContent ||
			status == http.StatusNotModified || w.Header().Get("Content-Length") == "0"
	}
	w.ResponseWriter.WriteHeader(status)
}

// FlushError is what [http.ResponseController] calls.
func (w *bodilessWriter) FlushError() error {
	if w.bodiless {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}
