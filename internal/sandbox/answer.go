package sandbox

import "net/http"

// An answer is a ResponseWriter that tells the ledger what was answered.
type answer struct {
	http.ResponseWriter
	entry  *entry
	status int // 0 until it is known
}

// WriteHeader notes the status, unless it is informational.
func (a *answer) WriteHeader(status int) {
	if status >= 200 && a.status == 0 {
		a.status = status
		a.entry.answered(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write begins the answer with 200, if nothing else was said.
func (a *answer) Write(p []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(p)
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
