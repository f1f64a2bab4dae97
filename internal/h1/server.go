package h1

import (
	"bytes"
	"io"
	"net"
	"strings"
	"time"

	"avsproxy/internal/h2"
)

// headTimeout bounds how long a head takes from its first byte.
const headTimeout = 10 * time.Second

// Server begins a session for a client's connection of HTTP/1.x. Of the configuration
// FirstTimeout bounds the wait for the first head. Serve runs the session.
func Server(g *h2.Group, conn net.Conn, config h2.Config) *h2.Session {
	return g.With(conn, config, true, func(s *h2.Session) h2.Framing { return &server{session: s} })
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

// maxKnown bounds what a connection keeps of a head behind its request, in the bytes of its cost.
const maxKnown = 4 << 10

// A knownHead is one whose fields need not be read again where they come again.
type knownHead struct {
	section []byte // of the fields, as it came
	parsed  fieldSection
	method  string
	target  string
	minor   byte
	head    h2.Head // reused
}

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
	s.answer.minor = 1 // until the head says another
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
	head, err := s.parse(p[:size])
	if err != nil {
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

// parse reads a head. What is the same as in the head before is taken from there.
func (s *server) parse(p []byte) (*h2.Head, error) {
	end := bytes.IndexByte(p, '\n')
	if end < 1 || p[end-1] != '\r' {
		return nil, SyntaxError("a line does not end in CR LF")
	}
	line, err := parseStartLine(p[:end-1])
	if err != nil {
		return nil, err
	}
	k, section := &s.known, p[end+1:len(p)-2]
	s.answer.minor = line.minor
	if k.minor != line.minor || k.section == nil || !bytes.Equal(k.section, section) {
		parsed, err := parseFields(section, maxHead)
		if err == nil {
			err = checkHead(&line, &parsed)
		}
		if err != nil {
			return nil, err
		}
		k.section, k.parsed, k.minor = append(k.section[:0], section...), parsed, line.minor
	} else if err := checkHead(&line, &k.parsed); err != nil {
		return nil, err
	}
	if k.method != string(line.method) {
		k.method = string(line.method)
	}
	if k.target != string(line.target) {
		k.target = string(line.target)
	}
	return k.meaning()
}

// checkHead is what line and fields say together.
func checkHead(line *startLine, fields *fieldSection) error {
	switch {
	case fields.hosts == 0 && line.minor > 0 && string(line.method) != "CONNECT": // which says it already, and old clients leave it out
		return SyntaxError("there is no Host (RFC 9112 section 3.2)")
	case fields.chunked && line.minor == 0:
		return SyntaxError("HTTP/1.0 has no Transfer-Encoding (RFC 9112 section 6.1)")
	case string(line.method) == "CONNECT" && (fields.chunked || fields.length > 0):
		return SyntaxError("a CONNECT has a body (RFC 9110 section 9.3.6)")
	}
	return nil
}

// meaning is what the request means (RFC 9112 section 3.2).
func (k *knownHead) meaning() (*h2.Head, error) {
	h := &k.head
	*h = h2.Head{
		Method: k.method, Path: k.target, Target: k.target, Authority: k.parsed.host, Fields: k.parsed.fields,
		Length: k.parsed.length, Proto: "HTTP/1.1", Chunked: k.parsed.chunked,
	}
	if k.minor == 0 {
		h.Proto = "HTTP/1.0"
	}
	switch {
	case k.method == "CONNECT":
		h.Authority, h.Path = k.target, ""
		if strings.ContainsAny(k.target, "/?@") {
			return nil, SyntaxError("a CONNECT is for something that is not a host and a port")
		}
	case k.target[0] == '/':
	case k.target == "*" && k.method == "OPTIONS":
	default:
		return h, k.absolute(h)
	}
	return h, nil
}

// absolute reads the absolute form, whose host takes the place of the one in Host.
func (k *knownHead) absolute(h *h2.Head) error {
	scheme, rest, ok := strings.Cut(k.target, "://")
	if scheme = strings.ToLower(scheme); !ok || !isScheme(scheme) {
		return SyntaxError("the target is neither a path nor an address such as http://example.com/")
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	h.Scheme, h.Authority, h.Path = scheme, rest[:end], rest[end:]
	if h.Authority == "" || strings.Contains(h.Authority, "@") {
		return SyntaxError("the address names no host, or a user before it (RFC 9110 section 4.2.4)")
	}
	if h.Path == "" || h.Path[0] == '?' {
		h.Path = "/" + h.Path
	}
	return nil
}

// isScheme is RFC 3986 section 3.1, for one in lower case.
func isScheme(text string) bool {
	for i, c := range []byte(text) {
		if !('a' <= c && c <= 'z' || i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return text != ""
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
		s.known = knownHead{}
	}
	if !st.Gone() {
		s.stream = st
	}
}

// takeBody takes a piece of a body that has a length.
func (s *server) takeBody(p []byte) (used int) {
	n := int(min(s.left, int64(len(p)), maxPiece))
	if n = s.fits(n); n == 0 {
		return 0
	}
	if s.left -= int64(n); s.left == 0 {
		s.state = inAnswer
	}
	s.stream.Receive(p[:n], s.left == 0)
	return n
}

// maxPiece is how much of a body goes on at once: a frame of HTTP/2.
const maxPiece = 16 << 10

// fits returns how many of n bytes may come in now. None = the reader is blocked until some may.
func (s *server) fits(n int) int {
	n = min(n, s.stream.Window())
	if n == 0 {
		s.session.Block(true)
	}
	return n
}

// takeChunks takes a piece of a body in chunks.
func (s *server) takeChunks(p []byte) (used int, err error) {
	most := s.fits(maxPiece)
	if most == 0 {
		return 0, nil
	}
	data, used, err := s.chunks.next(p, most)
	if err != nil {
		return 0, err
	}
	if len(data) > 0 {
		s.stream.Receive(data, false)
	}
	if s.chunks.state == inNothing {
		s.endChunks()
	}
	return used, nil
}

func (s *server) endChunks() {
	s.state = inAnswer
	if len(s.chunks.trailer) > 0 {
		s.stream.ReceiveTrailer(s.chunks.trailer)
	} else {
		s.stream.Receive(nil, true)
	}
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
