package sandbox

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"avsproxy/internal/sandbox/faults"
)

// FaultTrailer is the trailer that the fault "trailers" sends, with the value "1".
const FaultTrailer = "X-Sandbox-Trailer"

const (
	informationalAnswers = 3        // without a value of the fault
	hugeField            = 11 << 20 // bytes, without a value of the fault; net/http accepts 10 MiB, curl less
	minCutWrite          = 100      // bytes; shorter writes, such as a boundary line, are not cut in their middle
)

var errFault = errors.New("a fault cut the connection")

// A responseWriter records the answer in the ledger, and applies the faults that
// strike an answer.
type responseWriter struct {
	http.ResponseWriter
	ctx    context.Context // of the request
	entry  *entry
	struck faults.List
	status int // 0 until it is known
	size   int // of the body so far
}

// WriteHeader starts the answer, unless the status is informational.
func (w *responseWriter) WriteHeader(status int) {
	if status >= 200 && w.status == 0 {
		w.status = status
		w.applyHeadFaults()
		w.entry.update(func(a *Arrival) { a.Status = status })
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) applyHeadFaults() {
	header := w.Header()
	if f, ok := w.struck.Find("early-hints"); ok {
		header.Set("Link", "</sandbox>; rel=preload")
		w.inform(http.StatusEarlyHints, f)
		header.Del("Link")
	}
	if f, ok := w.struck.Find("continue"); ok {
		w.inform(http.StatusContinue, f)
	}
	if f, ok := w.struck.Find("slow-headers"); ok && !pause(w.ctx, f.Duration()) {
		panic(http.ErrAbortHandler)
	}
	if f, ok := w.struck.Find("huge-headers"); ok { // "~" is longest in HPACK's Huffman code
		header.Set("X-Sandbox-Huge", strings.Repeat("~", cmp.Or(f.Number(), hugeField)))
	}
	if _, ok := w.struck.Find("trailers"); ok {
		header.Add("Trailer", FaultTrailer)
	}
}

func (w *responseWriter) inform(status int, f faults.Fault) {
	for range cmp.Or(f.Number(), informationalAnswers) {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write starts the answer with 200 if WriteHeader was not called.
func (w *responseWriter) Write(p []byte) (int, error) {
	w.ensureHead()
	if f, ok := w.struck.Find("cut-body"); ok {
		w.cutAt(f.Number(), p)
	}
	n, err := w.ResponseWriter.Write(p)
	w.size += n
	return n, err
}

// cutAt cuts the connection if the limit of the body is in p. Without a limit, it
// cuts in the middle of any long p.
func (w *responseWriter) cutAt(limit int, p []byte) {
	left := limit - w.size
	if limit == 0 {
		left = len(p)
		if left > minCutWrite {
			left /= 2
		}
	}
	if left < len(p) {
		w.ResponseWriter.Write(p[:left])
		w.cut()
	}
}

// cut sends what was written, and cuts the connection.
func (w *responseWriter) cut() {
	http.NewResponseController(w.ResponseWriter).Flush()
	cutConnection(w.ctx)
}

// FlushError sends what was written, and the head in any case.
func (w *responseWriter) FlushError() error {
	w.ensureHead()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *responseWriter) ensureHead() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
}

// finish applies the faults that strike at the end of an answer. A body that was too
// short to be cut is cut here, so that every strike has an effect.
func (w *responseWriter) finish() {
	w.ensureHead()
	if _, ok := w.struck.Find("cut-body"); ok {
		w.cut()
	}
	if _, ok := w.struck.Find("trailers"); ok {
		w.Header().Set(FaultTrailer, "1")
	}
}
