package h2

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// maxUnsent is how many bytes of an answer wait to be sent before its handler has to.
const maxUnsent = 64 << 10

// An answer is both the end of a request's stream and the [http.ResponseWriter] of its
// answer.
type answer struct {
	st     *Stream
	body   *body
	cancel context.CancelFunc
	header http.Header
	head   bool // the request is a HEAD

	// Of the handler's goroutine.
	status   int // 0 = WriteHeader was not called
	sentHead bool
	sent     http.Header // as it was when WriteHeader was called
	buffer   []byte
	unsent   int   // bytes that were written to a HEAD
	left     int64 // of Content-Length; -1 = unknown
	trailers []string
	taken    bool // the handler has taken the stream over, and ends it
	duplex   bool // the handler passes on what somebody else says, as that comes
	hijacked bool // it has taken over the connection of HTTP/1.x
	http1    bool

	// Under the group's lock.
	drained  sync.Cond
	asked    bool    // the client was sent a 100
	broken   error   // why nothing can be sent any more
	code     ErrCode // with which a broken answer ends; 0 = INTERNAL_ERROR
	deadline time.Time
	timer    *time.Timer // of the deadline
}

const answerBuffer = 4 << 10

// Head implements [End]; no head comes behind a request's.
func (w *answer) Head(*Head, bool) {}

// Data implements [End].
func (w *answer) Data(p []byte, fin bool) {
	w.body.add(p)
	if fin {
		w.body.end(io.EOF)
	}
}

// Trailer implements [End].
func (w *answer) Trailer(fields []Field) {
	w.body.came = headerOf(fields)
	w.body.end(io.EOF)
}

// Reset implements [End].
func (w *answer) Reset(err *ResetError) {
	w.body.end(err)
	w.broken = err
	w.drained.Broadcast()
	w.cancel()
}

// Broken implements answering: the handler meets the error when it reads.
func (w *answer) Broken(err *ResetError) { w.body.end(err) }

// Credit implements [Source].
func (w *answer) Credit(int) {
	if w.st.Queued() <= maxUnsent/2 {
		w.drained.Broadcast()
	}
}

// Header implements [http.ResponseWriter].
func (w *answer) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *answer) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.sendLocked(status, w.header, false)
		return
	}
	w.status, w.left, w.sent = status, -1, w.header.Clone()
	if text := w.sent.Get("Content-Length"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			w.sent.Del("Content-Length")
		} else {
			w.left = n
		}
	}
	for name := range announced(w.sent) {
		w.trailers = append(w.trailers, name)
	}
}

// hasBody reports whether the answer may have one (RFC 9110 section 6.4.1).
func (w *answer) hasBody() bool {
	return w.status >= 200 && w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// Write implements [http.ResponseWriter].
func (w *answer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.hasBody() {
		return 0, http.ErrBodyNotAllowed
	}
	if w.left >= 0 {
		if int64(len(p)) > w.left {
			return 0, http.ErrContentLength
		}
		w.left -= int64(len(p))
	}
	if w.head {
		w.unsent += len(p)
		w.buffer = append(w.buffer, p[:min(len(p), answerBuffer-len(w.buffer))]...)
		return len(p), nil
	}
	if len(w.buffer)+len(p) <= answerBuffer {
		w.buffer = append(w.buffer, p...)
		return len(p), nil
	}
	if err := w.FlushError(); err != nil {
		return 0, err
	}
	if len(p) <= answerBuffer {
		w.buffer = append(w.buffer, p...)
		return len(p), nil
	}
	return len(p), w.send(p)
}

// FlushError is what [http.ResponseController] calls.
func (w *answer) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.sendHead(false)
	if w.head || len(w.buffer) == 0 {
		return w.locked(func() {})
	}
	err := w.send(w.buffer)
	w.buffer = w.buffer[:0]
	return err
}

// Flush implements [http.Flusher].
func (w *answer) Flush() { _ = w.FlushError() }

// send waits until the other side takes what was sent before.
func (w *answer) send(p []byte) error {
	l := w.drained.L
	l.Lock()
	defer l.Unlock()
	for len(p) > 0 {
		for w.broken == nil && !w.expired() && w.st.Queued() >= maxUnsent {
			w.drained.Wait()
		}
		if err := w.failed(); err != nil {
			return err
		}
		piece := p[:min(len(p), maxUnsent)]
		w.st.SendData(piece, false)
		p = p[len(piece):]
	}
	return nil
}

func (w *answer) locked(f func()) error {
	l := w.drained.L
	l.Lock()
	defer l.Unlock()
	f()
	return w.failed()
}

// sendHead sends the head once. fin = nothing follows.
func (w *answer) sendHead(fin bool) {
	if w.sentHead {
		return
	}
	w.sentHead = true
	h := w.sent
	if w.http1 && !w.duplex && w.status >= 200 && !w.whole() { // all that it waits for is read for a while
		h.Set("Connection", "close")
	}
	if w.http1 && h.Get("Connection") == "close" {
		w.locked(w.st.s.Leave)
	}
	if _, set := h["Date"]; !set {
		h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	if _, set := h["Content-Type"]; !set && w.hasBody() && len(w.buffer) > 0 {
		h.Set("Content-Type", http.DetectContentType(w.buffer))
	}
	w.sendLocked(w.status, h, fin)
}

// sendLocked sends a head. Behind it no 100 is to be sent.
func (w *answer) sendLocked(status int, h http.Header, fin bool) {
	w.locked(func() {
		switch {
		case status == http.StatusContinue && w.asked:
			return
		case status >= 200 || status == http.StatusContinue:
			w.body.ask = nil
		case len(w.st.s.out) > maxOut:
			return // the client does not read, and can do without
		}
		w.st.SendHead(answerFields(status, h), fin)
	})
}

// trailerFields are the fields behind the body.
func (w *answer) trailerFields() []Field {
	trailer := http.Header{}
	for _, name := range w.trailers {
		if values := w.header[name]; len(values) > 0 {
			trailer[name] = values
		}
	}
	for name, values := range w.header {
		if len(name) > len(http.TrailerPrefix) && name[:len(http.TrailerPrefix)] == http.TrailerPrefix {
			trailer[name[len(http.TrailerPrefix):]] = values
		}
	}
	return appendHeader(nil, trailer)
}

// EnableFullDuplex is what [http.ResponseController] calls. All answers are; who says so leaves
// the client the time that it takes for its request.
func (w *answer) EnableFullDuplex() error {
	w.duplex = true
	return nil
}

// SetReadDeadline is what [http.ResponseController] calls.
func (w *answer) SetReadDeadline(t time.Time) error {
	w.body.setDeadline(t)
	return nil
}

// SetWriteDeadline is what [http.ResponseController] calls.
func (w *answer) SetWriteDeadline(t time.Time) error {
	w.locked(func() {
		if w.timer != nil {
			w.timer.Stop()
		}
		if w.deadline = t; !t.IsZero() {
			w.timer = time.AfterFunc(time.Until(t), func() { w.locked(w.drained.Broadcast) })
		}
	})
	return nil
}

func (w *answer) expired() bool { return !w.deadline.IsZero() && !time.Now().Before(w.deadline) }

func (w *answer) failed() error {
	switch {
	case w.broken != nil:
		return w.broken
	case w.expired():
		return context.DeadlineExceeded
	}
	return nil
}

// expectBody is for a request that has a body. Trailers of it are found in r, also those
// that the head did not announce. A client that waits for it (RFC 9110 section 10.1.1) gets
// a 100 when the handler reads.
func (w *answer) expectBody(r *http.Request) {
	if r.Trailer == nil {
		r.Trailer = http.Header{}
	}
	r.Body, w.body.trailer = w.body, r.Trailer
	if httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue") {
		delete(r.Header, "Expect")
		w.body.ask = func() {
			if !w.asked {
				w.asked = true
				w.st.SendContinue()
			}
		}
	}
}
