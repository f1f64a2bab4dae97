package sandbox

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/sandbox/frames"
)

// FaultTrailer is the trailer that the fault "trailers" sends, with the value "1".
const FaultTrailer = "X-Sandbox-Trailer"

const (
	few      = 3        // informational answers
	enormous = 11 << 20 // bytes of a field; net/http takes 10 MiB, curl less

	// Shorter writes, such as boundary lines, are too little to be cut in their middle.
	shortWrite = 100
)

var errCut = errors.New("the sandbox was told to cut it")

// An answer is a ResponseWriter that tells the ledger what was answered, and that
// faults may strike.
type answer struct {
	http.ResponseWriter
	ctx    context.Context // of the request
	entry  *entry
	struck faults.List
	status int // 0 until it is known
	size   int // of the body so far
}

// WriteHeader begins the answer, unless the status is informational.
func (a *answer) WriteHeader(status int) {
	if status >= 200 && a.status == 0 {
		a.status = status
		a.strikeHead()
		a.entry.answered(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

// strikeHead does what comes before the head of an answer, and what is in it.
func (a *answer) strikeHead() {
	header := a.Header()
	if f, ok := a.struck.Find("early-hints"); ok {
		header.Set("Link", "</sandbox>; rel=preload")
		a.inform(http.StatusEarlyHints, f)
		header.Del("Link")
	}
	if f, ok := a.struck.Find("continue"); ok {
		a.inform(http.StatusContinue, f)
	}
	if f, ok := a.struck.Find("slow-headers"); ok && !pause(a.ctx, f.Duration()) {
		panic(http.ErrAbortHandler)
	}
	if f, ok := a.struck.Find("huge-headers"); ok { // of what HPACK cannot make smaller
		header.Set("X-Sandbox-Huge", strings.Repeat("~", cmp.Or(f.Number(), enormous)))
	}
	if _, ok := a.struck.Find("trailers"); ok {
		header.Add("Trailer", FaultTrailer)
	}
}

func (a *answer) inform(status int, f faults.Fault) {
	for range cmp.Or(f.Number(), few) {
		a.ResponseWriter.WriteHeader(status)
	}
}

// Write begins the answer with 200, if nothing else was said.
func (a *answer) Write(p []byte) (int, error) {
	a.begin()
	if f, ok := a.struck.Find("cut-body"); ok {
		a.cutWithin(p, f.Number())
	}
	n, err := a.ResponseWriter.Write(p)
	a.size += n
	return n, err
}

// cutWithin cuts the connection if the body's limit is in p. Without a limit, any
// long p is worth a cut.
func (a *answer) cutWithin(p []byte, limit int) {
	left := limit - a.size
	if limit == 0 {
		left = len(p)
		if left > shortWrite {
			left /= 2
		}
	}
	if left < len(p) {
		a.ResponseWriter.Write(p[:left])
		a.cut()
	}
}

// cut sends what was written and ends the connection.
func (a *answer) cut() {
	http.NewResponseController(a.ResponseWriter).Flush()
	if stream := frames.FromContext(a.ctx); stream != nil {
		stream.Conn().Close(errCut)
	}
	panic(http.ErrAbortHandler) // which cuts HTTP/1.1
}

// FlushError sends what was written, at least the head.
func (a *answer) FlushError() error {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) begin() {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
}

// finish is for what faults do at the end. A body too short to be cut within is
// cut there, so that no strike goes unseen.
func (a *answer) finish() {
	a.begin()
	if _, ok := a.struck.Find("cut-body"); ok {
		a.cut()
	}
	if _, ok := a.struck.Find("trailers"); ok {
		a.Header().Set(FaultTrailer, "1")
	}
}
