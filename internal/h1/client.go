package h1

import (
	"io"
	"net"
	"slices"

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

// takeBody takes a piece of a body.
func (c *client) takeBody(p []byte) int {
	n := fits(c.stream, min(len(p), maxPiece))
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

// takeChunks takes a piece of a body in chunks.
func (c *client) takeChunks(p []byte) (used int, err error) {
	used, err = c.chunks.receive(p, c.stream)
	if err == nil && c.chunks.state == inNothing && c.stream != nil {
		endReceived(c.stream, c.trailer())
	}
	return used, err
}

// trailer is that of the answer, without what does not belong there.
func (c *client) trailer() []h2.Field {
	return slices.DeleteFunc(c.chunks.trailer, func(f h2.Field) bool {
		return isAboutConnection(f.Name) || f.Name == "content-length" || f.Name == "te" || f.Name == "host"
	})
}
