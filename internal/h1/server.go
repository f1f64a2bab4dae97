package h1

import (
	"bytes"
	"io"
	"net"
	"time"

	"avsproxy/internal/h2"
)

// headTimeout bounds how long a head takes from its first byte.
const headTimeout = 10 * time.Second

// Server begins a session for a client's connection of HTTP/1.x. Of the configuration
// FirstTimeout bounds the wait for the first head. Serve runs the session.
func Server(g *h2.Group, conn net.Conn, config h2.Config) *h2.Session {
	return g.With(conn, config, true, func(s *h2.Session) h2.Framing { return &server{session: s, known: knownHead{minor: 1}} })
}

// A server is the framing of a client's connection. One request is under way at a time; those
// that come behind it wait in the buffer of the reader.
type server struct {
	session *h2.Session
	state   state
	// mayBeEmpty is set where a line may be empty before the head: behind another request.
	mayBeEmpty bool
	looked     int  // bytes of the head that has begun, in which its end is not
	timed      bool // the head has to come in time
	known      knownHead

	// Of the request under way.
	stream *h2.Stream // nil = there is none
	left   int64      // bytes to come of a body that has a length
	chunks chunkReader
	answer answer
}

type state int

const (
	inHead   state = iota // the head of a request comes
	inBody                // a body comes
	inChunks              // one in chunks does
	inAnswer              // the request is whole, its answer is not
	inRest                // nothing that comes counts any more
)

// Take implements [h2.Framing].
func (s *server) Take(p []byte) (used int, err error) {
	for used < len(p) {
		n := 0
		switch s.state {
		case inHead:
			n, err = s.takeHead(p[used:])
		case inBody:
			n = s.takeBody(p[used:])
		case inChunks:
			n, err = s.takeChunks(p[used:])
		case inAnswer:
			s.session.Block(true)
		case inRest:
			s.session.ExpectMore()
			n = len(p) - used
		}
		if err != nil {
			s.breakOff(err)
			return len(p), nil
		}
		if n == 0 {
			break
		}
		used += n
	}
	return used, nil
}

// TakeEnd implements [h2.Framing]: a client that has said all it wants gets its answer (RFC
// 9112 section 9.6). One that stops within a request gets none.
func (s *server) TakeEnd() error {
	state := s.state
	s.state = inRest
	s.session.Leave()
	if st := s.stream; st != nil && (state == inBody || state == inChunks) {
		st.Break(&h2.ResetError{Code: h2.Cancel, Err: io.ErrUnexpectedEOF})
	}
	return nil
}

// breakOff refuses a request that cannot be read. One whose answer may have begun is cut.
func (s *server) breakOff(why error) {
	s.state = inRest
	s.session.ExpectMore()
	s.session.Leave()
	if st := s.stream; st != nil {
		st.BreakBody(&h2.ResetError{Code: h2.ProtocolError, ByUs: true, Err: why})
		return
	}
	s.answer = answer{minor: s.answer.minor, close: true}
	s.settle()
	s.stream = s.session.BeginBroken(why)
}

// takeHead takes a head when it is whole.
func (s *server) takeHead(p []byte) (used int, err error) {
	if s.mayBeEmpty && p[0] == '\r' { // some send an empty line behind a body (RFC 9112 section 2.2)
		if len(p) == 1 {
			return 0, nil
		}
		s.mayBeEmpty = false
		return 2, checkLines(p[:2])
	}
	if s.session.Backlogged() { // its client reads no answers
		s.session.Block(true)
		return 0, nil
	}
	s.answer.minor = s.known.minor // until the head says another
	size := endOfHead(p, s.looked)
	if size == 0 && len(p) <= maxHead {
		s.await(p)
		return 0, checkLines(p)
	}
	if size == 0 || size > maxHead {
		return 0, h2.ErrHeadTooLarge
	}
	s.settle()
	s.looked, s.mayBeEmpty = 0, false
	head, err := s.known.parse(p[:size])
	if s.answer.minor = s.known.minor; err != nil {
		return 0, err
	}
	s.begin(head, size)
	return size, nil
}

// checkLines refuses a head that is not whole as soon as one of its lines is wrong: those who
// send bare line feeds would wait for an answer.
func checkLines(p []byte) error {
	for rest := p; ; {
		end := bytes.IndexByte(rest, '\n')
		switch {
		case end < 0 && (len(rest) < 2 || rest[0] != '\r'):
			return nil
		case end < 1 || rest[end-1] != '\r':
			return SyntaxError("a line does not end in CR LF")
		}
		rest = rest[end+1:]
	}
}

// await bounds the time that the rest of a head has.
func (s *server) await(p []byte) {
	s.looked = len(p)
	if !s.timed {
		s.timed = true
		_ = s.session.Conn().SetReadDeadline(time.Now().Add(headTimeout)) // without deadlines the client's own end must do
	}
}

// settle takes back the bound of await, and that of the first head.
func (s *server) settle() {
	if s.timed || s.session.Settle() {
		s.timed = false
		_ = s.session.Conn().SetReadDeadline(time.Time{})
	}
}

// begin gives a request to who answers it.
func (s *server) begin(h *h2.Head, size int) {
	k := &s.known.parsed
	s.answer = answer{
		minor: s.known.minor, head: h.Method == "HEAD", trailers: k.trailers,
		close: k.close || s.known.minor == 0 && !k.keepAlive,
	}
	fin := false
	switch {
	case k.chunked:
		s.state, s.chunks = inChunks, chunkReader{}
	case k.length > 0:
		s.state, s.left = inBody, k.length
	default:
		s.state, fin = inAnswer, true
	}
	st := s.session.Begin(h, size, fin)
	if k.cost > maxKnown {
		s.known = knownHead{minor: s.known.minor}
	}
	if !st.Gone() {
		s.stream = st
	}
}

// takeBody takes a piece of a body that has a length.
func (s *server) takeBody(p []byte) (used int) {
	n := int(min(s.left, int64(len(p)), maxPiece))
	if n = fits(s.stream, n); n == 0 {
		return 0
	}
	if s.left -= int64(n); s.left == 0 {
		s.state = inAnswer
	}
	s.stream.Receive(p[:n], s.left == 0)
	return n
}

// takeChunks takes a piece of a body in chunks.
func (s *server) takeChunks(p []byte) (used int, err error) {
	used, err = s.chunks.receive(p, s.stream)
	if err == nil && s.chunks.state == inNothing {
		s.state = inAnswer
		endReceived(s.stream, s.chunks.trailer)
	}
	return used, err
}

// Gone implements [h2.Framing]. Where the rest of a request is not known to come, the connection
// ends with its answer.
func (s *server) Gone(st *h2.Stream) {
	s.stream = nil
	if !st.InEnded() {
		s.state = inRest
		s.session.ExpectMore()
	} else if s.session.Leaving() {
		s.state = inRest
	} else if s.state != inRest {
		s.state, s.mayBeEmpty = inHead, true
	}
	s.session.Block(false)
}

// AppendCredit implements [h2.Framing].
func (s *server) AppendCredit(out []byte, _ *h2.Stream, _ int) []byte {
	s.session.Block(false)
	return out
}

// AppendGoAway implements [h2.Framing]: the answer under way says it.
func (s *server) AppendGoAway(out []byte, _ h2.ErrCode, _ string) []byte {
	if s.stream == nil {
		s.state = inRest
	}
	return out
}
