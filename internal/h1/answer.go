package h1

import (
	"net/http"
	"strconv"

	"avsproxy/internal/h2"
)

// An answer is how the answer to a request stands on the connection.
type answer struct {
	minor    byte // of the client's version
	head     bool // the request is a HEAD
	trailers bool // the client takes a trailer
	close    bool // the connection ends with it

	sized     bool // its length was said
	begun     bool // the final head was sent
	bodiless  bool // it has no body, whatever its fields say
	chunked   bool
	unlimited bool // it ends with the connection
	left      int64
	done      bool // all of it was sent
}

// AppendHead implements [h2.Framing].
func (s *server) AppendHead(out []byte, st *h2.Stream, fields []h2.Field, fin bool) []byte {
	a := &s.answer
	status := fields[0].Value
	if status[0] == '1' {
		if a.minor == 0 || a.begun { // RFC 9110 section 15.2
			return out
		}
		return append(appendFields(appendStatus(out, a.minor, status), fields[1:], a), "\r\n"...)
	}
	a.begun = true
	a.bodiless = a.head || status == "204" || status == "304"
	a.frame(fields, fin)
	a.close = a.close || s.session.Leaving() || a.unlimited
	if a.close {
		s.session.Leave()
	}
	out = appendFields(appendStatus(out, a.minor, status), fields[1:], a)
	out = a.appendFraming(out, fields, fin)
	a.done = fin
	return append(out, "\r\n"...)
}

// frame decides how the body is told from what follows (RFC 9112 section 6).
func (a *answer) frame(fields []h2.Field, fin bool) {
	if a.bodiless || fin {
		return
	}
	length, trailer := -1, false
	for i := 1; i < len(fields); i++ {
		switch fields[i].Name {
		case "content-length":
			if n, err := strconv.Atoi(fields[i].Value); err == nil {
				length = n
			}
		case "trailer":
			trailer = true
		}
	}
	switch {
	case length >= 0 && !(trailer && a.trailers && a.minor > 0): // a trailer needs chunks
		a.left = int64(length)
	case a.minor > 0:
		a.chunked = true
	default:
		a.unlimited = true
	}
}

// appendFraming appends the fields that are about the connection.
func (a *answer) appendFraming(out []byte, fields []h2.Field, fin bool) []byte {
	switch {
	case a.chunked:
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	case fin && !a.bodiless && !has(fields, "content-length"):
		out = append(out, "Content-Length: 0\r\n"...)
	}
	switch {
	case a.close:
		out = append(out, "Connection: close\r\n"...)
	case a.minor == 0:
		out = append(out, "Connection: keep-alive\r\n"...)
	}
	return out
}

func has(fields []h2.Field, name string) bool {
	for i := range fields {
		if fields[i].Name == name {
			return true
		}
	}
	return false
}

// AppendData implements [h2.Framing].
func (s *server) AppendData(out []byte, _ *h2.Stream, p []byte, fin bool) []byte {
	a := &s.answer
	switch {
	case a.bodiless:
	case a.chunked:
		out = appendChunk(out, p)
	case a.unlimited:
		out = append(out, p...)
	default: // no more than was announced: it would be read as the next answer
		n := int(min(a.left, int64(len(p))))
		a.left -= int64(n)
		out = append(out, p[:n]...)
	}
	if fin {
		out = s.end(out, nil)
	}
	return out
}

// AppendEnd implements [h2.Framing].
func (s *server) AppendEnd(out []byte, _ *h2.Stream, trailer []h2.Field) []byte {
	return s.end(out, trailer)
}

func (s *server) end(out []byte, trailer []h2.Field) []byte {
	a := &s.answer
	a.done = true
	switch {
	case a.chunked && !a.bodiless:
		out = append(out, "0\r\n"...)
		if a.trailers {
			out = appendFields(out, trailer, a)
		}
		out = append(out, "\r\n"...)
	case a.left > 0 && !a.bodiless: // it is shorter than announced
		s.session.Cut()
	}
	return out
}

// AppendReset implements [h2.Framing]. Behind a whole answer the connection is closed; within
// one it is cut.
func (s *server) AppendReset(out []byte, _ *h2.Stream, _ h2.ErrCode) []byte {
	switch {
	case s.answer.done || !s.answer.begun || s.answer.chunked:
		s.session.Leave()
	default:
		s.session.Cut()
	}
	return out
}

func appendStatus(out []byte, minor byte, status string) []byte {
	if minor == 0 {
		out = append(out, "HTTP/1.0 "...)
	} else {
		out = append(out, "HTTP/1.1 "...)
	}
	if status == "200" {
		return append(out, "200 OK\r\n"...)
	}
	code, _ := strconv.Atoi(status)
	out = append(append(out, status...), ' ')
	return append(append(out, http.StatusText(code)...), "\r\n"...)
}

// appendFields appends what an upstream or a handler says, but for what is about the
// connection.
func appendFields(out []byte, fields []h2.Field, a *answer) []byte {
	for i := range fields {
		f := &fields[i]
		switch {
		case f.Name[0] == ':' || isAboutConnection(f.Name):
			continue
		case f.Name == "trailer" && !a.trailers: // it does not come
			continue
		case f.Name == "content-length" && (a.sized || a.begun && (a.chunked || a.unlimited)): // HTTP/2 takes two that say the same
			continue
		}
		a.sized = a.sized || f.Name == "content-length"
		out = append(append(appendName(out, f), ": "...), f.Value...)
		out = append(out, "\r\n"...)
	}
	return out
}

func isAboutConnection(name string) bool {
	switch name[0] {
	case 'c', 'k', 'p', 't', 'u':
		switch name {
		case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
			return true
		}
	}
	return false
}

// appendName appends a name as it came over HTTP/1.x, else as it is usual there: some clients
// do not know that names have no case.
func appendName(out []byte, f *h2.Field) []byte {
	if f.Spelling != "" {
		return append(out, f.Spelling...)
	}
	first := true
	for _, c := range []byte(f.Name) {
		if first && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		first = c == '-'
		out = append(out, c)
	}
	return out
}

func appendChunk(out, p []byte) []byte {
	out = strconv.AppendUint(out, uint64(len(p)), 16)
	return append(append(append(out, "\r\n"...), p...), "\r\n"...)
}
