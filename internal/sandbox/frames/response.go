package frames

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// bodyBuffer is how many bytes of an answer wait for a flush.
const bodyBuffer = 4 << 10

// A response is the http.ResponseWriter of a stream. http.ResponseController can flush it;
// it is always full duplex.
type response struct {
	stream    *Stream
	isHead    bool // of the request: the answer has no body
	header    http.Header
	status    int         // 0 until it is known
	fixed     http.Header // a copy, made when the status became known
	announced http.Header // trailers, without values
	sent      bool        // the head
	buffer    []byte
	length    int64 // as declared, or -1
	written   int64
}

// Header returns the fields of the head before WriteHeader, and of the trailer later.
func (w *response) Header() http.Header { return w.header }

// EnableFullDuplex does nothing: under HTTP/2 both directions are independent.
func (w *response) EnableFullDuplex() error { return nil }

// WriteHeader sends an informational answer at once, any other with the first
// bytes of its body.
func (w *response) WriteHeader(status int) {
	switch {
	case w.status != 0:
	case status < 100 || status > 999:
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	case status < 200:
		w.stream.Head(status, fieldsOf(w.header), false)
	default:
		w.status, w.fixed, w.length = status, w.header.Clone(), -1
		w.announced = announced(w.fixed.Clone())
		if n, err := strconv.ParseInt(w.fixed.Get("Content-Length"), 10, 64); err == nil {
			w.length = n
		}
	}
}

// Write buffers p, and sends the buffer if that is too much to wait for a flush.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	w.written += int64(len(p))
	if w.length >= 0 && w.written > w.length {
		return 0, http.ErrContentLength
	}
	if !w.isHead {
		w.buffer = append(w.buffer, p...)
	}
	if len(w.buffer) > bodyBuffer {
		return len(p), w.FlushError()
	}
	return len(p), nil
}

// Flush is FlushError without the error.
func (w *response) Flush() { w.FlushError() }

// FlushError sends the buffer, and the head if it was not sent.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if err := w.sendHead(false); err != nil {
		return err
	}
	if len(w.buffer) == 0 {
		return context.Cause(w.stream.ctx)
	}
	gathered := w.buffer
	w.buffer = w.buffer[:0]
	return w.stream.Data(gathered, false)
}

func (w *response) sendHead(end bool) error {
	if w.sent {
		return nil
	}
	w.sent = true
	if _, set := w.fixed["Date"]; !set {
		w.fixed.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	return w.stream.Head(w.status, fieldsOf(w.fixed), end)
}

// finish sends the rest when the handler has returned.
func (w *response) finish() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	trailer := w.trailer()
	bare := len(w.buffer) == 0 && len(trailer) == 0
	if !w.sent {
		w.measure(len(trailer) > 0)
		w.sendHead(bare)
	}
	switch {
	case len(trailer) == 0:
		w.stream.Data(w.buffer, true)
	case len(w.buffer) > 0:
		w.stream.Data(w.buffer, false)
		fallthrough
	default:
		w.stream.End(trailer)
	}
}

// measure sets the Content-Length of an answer that is complete in the buffer.
func (w *response) measure(hasTrailer bool) {
	if w.length < 0 && !hasTrailer && bodyAllowed(w.status) && (w.written > 0 || !w.isHead) {
		w.fixed.Set("Content-Length", strconv.FormatInt(w.written, 10))
	}
}

// trailer returns the fields that were announced by name, and those with
// http.TrailerPrefix.
func (w *response) trailer() []hpack.HeaderField {
	trailer := http.Header{}
	for name := range w.announced {
		trailer[name] = w.header[name]
	}
	for name, values := range w.header {
		if name, marked := strings.CutPrefix(name, http.TrailerPrefix); marked {
			trailer[http.CanonicalHeaderKey(name)] = values
		}
	}
	return fieldsOf(trailer)
}

// fieldsOf sorts a header by name, and omits the fields that HTTP/2 forbids.
func fieldsOf(header http.Header) []hpack.HeaderField {
	var fields []hpack.HeaderField
	for key, values := range header {
		name := strings.ToLower(key)
		if !validName(name) || connectionSpecific(name) { // including names with http.TrailerPrefix
			continue
		}
		for _, value := range values {
			if httpguts.ValidHeaderFieldValue(value) {
				fields = append(fields, hpack.HeaderField{Name: name, Value: value})
			}
		}
	}
	slices.SortStableFunc(fields, func(a, b hpack.HeaderField) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

// bodyAllowed follows RFC 9110 section 6.4.1.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
