package httpserver

import (
	"bytes"
	"math"
	"strconv"
	"sync/atomic"
)

// A headReader follows the requests of an HTTP/1.x connection, as far as is needed to
// see those with both Transfer-Encoding and Content-Length: net/http removes the
// latter before a handler can look. Another server on the way may have used it, and
// then takes a part of this body for the next request, so the connection must end with
// the answer (RFC 9112 section 6.3).
type headReader struct {
	now     func(*headReader, []byte) // what a line means; nil = the start of a request
	line    []byte                    // the present one, at most maxLine of it
	left    int64                     // bytes to come of a body, or a chunk with its line break
	heads   int64
	sized   bool  // the head has Content-Length,
	length  int64 // which is this,
	chunked bool  // and Transfer-Encoding

	mixed  atomic.Int64 // the first head with both, counted from 1; 0 = none
	served int64        // requests that came to the handler, one after another
}

// maxLine is how much of a line is kept, without white space: enough for the names and
// numbers that matter.
const maxLine = 64

func (h *headReader) keep(piece []byte) {
	for _, c := range piece {
		if len(h.line) == maxLine {
			return
		}
		if c != ' ' && c != '\t' || len(h.line) == 0 {
			h.line = append(h.line, c)
		}
	}
}

func (h *headReader) read(p []byte) {
	for len(p) > 0 {
		if h.left > 0 {
			n := min(h.left, int64(len(p)))
			h.left -= n
			p = p[n:]
			continue
		}
		piece, rest, ended := bytes.Cut(p, []byte("\n"))
		h.keep(piece)
		if p = rest; ended {
			h.lineEnded(bytes.TrimSuffix(h.line, []byte("\r")))
			h.line = h.line[:0]
		}
	}
}

func (h *headReader) lineEnded(line []byte) {
	switch {
	case h.now != nil:
		h.now(h, line)
	case len(line) > 0:
		h.heads++
		h.sized, h.chunked, h.now = false, false, (*headReader).field
	}
}

func (h *headReader) field(line []byte) {
	if len(line) == 0 {
		h.headEnded()
		return
	}
	if line[0] == ' ' || line[0] == '\t' { // it continues the field before (RFC 9112 section 5.2)
		h.sized, h.chunked = true, true // which may be either; clients do not send this any more
		return
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch string(bytes.ToLower(name)) {
	case "content-length":
		h.sized = true
		h.length, _ = strconv.ParseInt(string(value), 10, 64) // net/http refuses what is no number
	case "transfer-encoding":
		h.chunked = true
	}
}

func (h *headReader) headEnded() {
	if h.sized && h.chunked {
		h.mixed.CompareAndSwap(0, h.heads)
	}
	switch h.now = nil; {
	case h.chunked:
		h.now = (*headReader).chunk
	case h.sized:
		h.left = h.length
	}
}

func (h *headReader) chunk(line []byte) {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	size, err := strconv.ParseInt(string(digits), 16, 64)
	switch {
	case err != nil: // net/http ends the connection
		h.now, h.left = nil, math.MaxInt64
	case size == 0:
		h.now = (*headReader).trailer
	default:
		h.left = min(size, math.MaxInt64-int64(len("\r\n"))) + int64(len("\r\n"))
	}
}

func (h *headReader) trailer(line []byte) {
	if len(line) == 0 {
		h.now = nil
	}
}

// endsWithThis reports whether the connection ends with this request. It is called once
// for each request that comes to the handler.
func (h *headReader) endsWithThis() bool {
	h.served++
	mixed := h.mixed.Load()
	return mixed != 0 && h.served >= mixed
}
