package h1

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strconv"

	"avsproxy/internal/h2"
)

// Client begins a session to an upstream that speaks HTTP/1.1. It has one stream at a time. Serve
// runs it.
func Client(g *h2.Group, conn net.Conn, config h2.Config) *h2.Session {
	return g.With(conn, config, false, func(s *h2.Session) h2.Framing {
		s.Settle()
		return &client{session: s, most: config.MaxHeader}
	})
}

// A client is the framing of a connection to an upstream.
type client struct {
	session *h2.Session
	most    int    // bytes of a head
	partial []byte // of a head that has not come whole

	// Of the request under way.
	stream  *h2.Stream // nil = there is none
	head    bool       // it is a HEAD
	request body       // that is sent
	state   answerState
	left    int64 // bytes to come of an answer that has a length
	chunks  chunkReader
	last    bool // the connection ends with the answer
}

type answerState int

const (
	inAnswerHead   answerState = iota // the head of an answer comes, if one is asked for
	inAnswerBody                      // a body of a length comes
	inAnswerChunks                    // one in chunks
	inAnswerRest                      // one that ends with the connection
)

// A body is how the body of a request stands on the connection.
type body struct {
	chunked bool
	left    int64
}

// AppendHead implements [h2.Framing]: the pseudo-header fields become the first line and Host.
func (c *client) AppendHead(out []byte, st *h2.Stream, fields []h2.Field, fin bool) []byte {
	var method, path, authority string
	length := int64(-1)
	for i := range fields {
		switch f := &fields[i]; f.Name {
		case ":method":
			method = f.Value
		case ":path":
			path = f.Value
		case ":authority":
			authority = f.Value
		case "content-length":
			if n, err := strconv.ParseInt(f.Value, 10, 64); err == nil {
				length = n
			}
		}
	}
	c.stream, c.head, c.last, c.state = st, method == "HEAD", false, inAnswerHead
	c.request = body{chunked: !fin && length < 0, left: max(length, 0)}
	out = append(append(append(append(out, method...), ' '), path...), " HTTP/1.1\r\nHost: "...)
	out = append(append(out, authority...), "\r\n"...)
	out = appendRequestFields(out, fields)
	switch {
	case c.request.chunked:
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	case fin && length < 0 && (method == "POST" || method == "PUT" || method == "PATCH"): // RFC 9110 section 8.6
		out = append(out, "Content-Length: 0\r\n"...)
	}
	return append(out, "\r\n"...)
}

// AppendData implements [h2.Framing].
func (c *client) AppendData(out []byte, st *h2.Stream, p []byte, fin bool) []byte {
	if c.request.chunked {
		out = appendChunk(out, p)
	} else { // no more than was announced: it would be read as the next request
		n := min(c.request.left, int64(len(p)))
		c.request.left -= n
		out = append(out, p[:n]...)
	}
	if fin {
		out = c.AppendEnd(out, st, nil)
	}
	return out
}

// AppendEnd implements [h2.Framing].
func (c *client) AppendEnd(out []byte, _ *h2.Stream, trailer []h2.Field) []byte {
	switch {
	case c.request.chunked:
		out = append(appendFields(append(out, "0\r\n"...), trailer, &answer{}), "\r\n"...)
	case c.request.left > 0: // it is shorter than announced
		go c.session.Abort()
	}
	return out
}

// AppendReset implements [h2.Framing]. The upstream sees that nobody waits any more; behind a
// whole answer, that the rest of the request does not come, if there is one.
func (c *client) AppendReset(out []byte, _ *h2.Stream, code h2.ErrCode) []byte {
	switch {
	case code != h2.NoError:
		c.session.Cut()
	case c.request.chunked || c.request.left > 0:
		c.session.Leave()
	}
	return out
}

// AppendCredit implements [h2.Framing].
func (c *client) AppendCredit(out []byte, _ *h2.Stream, _ int) []byte {
	c.session.Block(false)
	return out
}

// AppendGoAway implements [h2.Framing]; HTTP/1.1 has no such thing.
func (c *client) AppendGoAway(out []byte, _ h2.ErrCode, _ string) []byte { return out }

// Gone implements [h2.Framing].
func (c *client) Gone(st *h2.Stream) {
	c.stream = nil
	if c.last || !st.InEnded() {
		c.session.Leave()
	}
	c.state = inAnswerHead
	c.session.Block(false)
}

// Take implements [h2.Framing].
func (c *client) Take(p []byte) (used int, err error) {
	for used < len(p) {
		n := 0
		switch {
		case c.stream == nil && c.session.Leaving():
			n = len(p) - used
		case c.stream == nil:
			return used, SyntaxError("an answer that nobody asked for")
		case c.state == inAnswerHead:
			n, err = c.takeHead(p[used:])
		case c.state == inAnswerChunks:
			n, err = c.takeChunks(p[used:])
		default:
			n = c.takeBody(p[used:])
		}
		if err != nil {
			return used, err
		}
		if n == 0 {
			return used, nil
		}
		used += n
	}
	return used, nil
}

// TakeEnd implements [h2.Framing].
func (c *client) TakeEnd() error {
	switch {
	case c.stream == nil:
		return io.EOF
	case len(c.partial) > 0:
		return SyntaxError("it was cut within its head")
	case c.state == inAnswerRest:
		c.last = true
		c.stream.Receive(nil, true)
		return io.EOF
	}
	return io.ErrUnexpectedEOF
}

// versions are what answers begin with.
const versions = "HTTP/1."

// takeHead takes a head, in pieces where it is large.
func (c *client) takeHead(p []byte) (used int, err error) {
	before := len(c.partial)
	head := p
	if before > 0 {
		head = append(c.partial, p...)
	}
	if n := min(len(head), len(versions)); string(head[:n]) != versions[:n] {
		return 0, SyntaxError("it does not begin with a version")
	}
	size := endOfHead(head, before)
	if size == 0 && len(head) <= c.most {
		c.partial = append(c.partial[:before], p...)
		return len(p), nil
	}
	if size == 0 || size > c.most {
		return 0, SyntaxError("the head of an answer is too large")
	}
	h, fields, err := parseAnswer(head[:size], c.most)
	c.partial = nil
	if err != nil {
		return 0, err
	}
	return size - before, c.begin(h, fields)
}

// parseAnswer reads the head of an answer (RFC 9112 section 4).
func parseAnswer(p []byte, most int) (*h2.Head, *fieldSection, error) {
	end := bytes.IndexByte(p, '\n')
	if end < 1 || p[end-1] != '\r' {
		return nil, nil, SyntaxError("a line does not end in CR LF")
	}
	line := p[:end-1]
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return nil, nil, SyntaxError("the first line is not a version, a status and a reason")
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil || status < 100 {
		return nil, nil, SyntaxError("the status is no number of three digits")
	}
	fields, err := parseFields(p[end+1:len(p)-2], most)
	if err != nil {
		return nil, nil, err
	}
	if line[7] == '0' && fields.chunked {
		return nil, nil, SyntaxError("HTTP/1.0 has no Transfer-Encoding (RFC 9112 section 6.1)")
	}
	if line[7] == '0' {
		fields.close = fields.close || !fields.keepAlive
	}
	return &h2.Head{Status: status, Length: fields.length, Proto: string(line[:8])}, &fields, nil
}

// begin gives a head to who asked.
func (c *client) begin(h *h2.Head, fields *fieldSection) error {
	h.Fields = fields.endToEnd()
	if h.Status < 200 {
		if h.Status == 101 {
			return SyntaxError("it switched to a protocol that was not asked for")
		}
		c.stream.ReceiveHead(h, false)
		return nil
	}
	c.last = c.last || fields.close
	fin := false
	switch {
	case c.head || h.Status == 204 || h.Status == 304:
		fin = true
	case fields.chunked:
		c.state, c.chunks = inAnswerChunks, chunkReader{}
	case h.Length > 0:
		c.state, c.left = inAnswerBody, h.Length
	case h.Length == 0:
		fin = true
	default:
		c.state, c.last = inAnswerRest, true
	}
	c.stream.ReceiveHead(h, fin)
	return nil
}

// endToEnd are the fields without those that are about the connection (RFC 9110 section 7.6.1).
func (s *fieldSection) endToEnd() []h2.Field {
	kept := h2.Fields(s.fields)
	for _, list := range kept.Values("connection") {
		for name := range words(list) {
			kept.Del(name)
		}
	}
	kept.DeleteFunc(func(name, _ string) bool { return isAboutConnection(name) })
	return kept
}

// takeBody takes a piece of a body.
func (c *client) takeBody(p []byte) int {
	n := c.fits(min(len(p), maxPiece))
	if c.state == inAnswerRest {
		if n > 0 {
			c.stream.Receive(p[:n], false)
		}
		return n
	}
	if n = int(min(int64(n), c.left)); n > 0 {
		c.left -= int64(n)
		c.stream.Receive(p[:n], c.left == 0)
	}
	return n
}

func (c *client) fits(n int) int {
	n = min(n, c.stream.Window())
	if n == 0 {
		c.session.Block(true)
	}
	return n
}

// takeChunks takes a piece of a body in chunks.
func (c *client) takeChunks(p []byte) (used int, err error) {
	most := c.fits(maxPiece)
	if most == 0 {
		return 0, nil
	}
	data, used, err := c.chunks.next(p, most)
	if err != nil {
		return 0, err
	}
	if len(data) > 0 {
		c.stream.Receive(data, false)
	}
	if c.chunks.state == inNothing && c.stream != nil {
		if trailer := c.trailer(); len(trailer) > 0 {
			c.stream.ReceiveTrailer(trailer)
		} else {
			c.stream.Receive(nil, true)
		}
	}
	return used, nil
}

// trailer is that of the answer, without what does not belong there.
func (c *client) trailer() []h2.Field {
	return slices.DeleteFunc(c.chunks.trailer, func(f h2.Field) bool {
		return isAboutConnection(f.Name) || f.Name == "content-length" || f.Name == "te" || f.Name == "host"
	})
}

// appendRequestFields appends the fields of a request. The crumbs of cookies become one again (RFC
// 9113 section 8.2.3).
func appendRequestFields(out []byte, fields []h2.Field) []byte {
	all, crumbs := &answer{trailers: true}, false
	for i := range fields {
		if fields[i].Name != "cookie" {
			out = appendFields(out, fields[i:i+1], all)
			continue
		}
		if crumbs {
			continue
		}
		crumbs = true
		out = append(append(appendName(out, &fields[i]), ": "...), fields[i].Value...)
		for j := i + 1; j < len(fields); j++ {
			if fields[j].Name == "cookie" {
				out = append(append(out, "; "...), fields[j].Value...)
			}
		}
		out = append(out, "\r\n"...)
	}
	return out
}
