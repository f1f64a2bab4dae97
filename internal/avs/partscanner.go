package avs

import (
	"bytes"
	"slices"
	"strings"
)

// headMost bounds the header block of a part, the most that a scanner holds.
const headMost = lineBuffer

// A PartHandler is told of parts as they pass. Any of its functions may be nil.
type PartHandler struct {
	Begin func(PartHead)
	// Data gets pieces of the content; p is valid during the call alone.
	Data func(p []byte)
	// End is called once for each Begin. complete is whether the delimiter came;
	// without it the message was cut, or written carelessly.
	End func(complete bool)
}

// A PartScanner is told a multipart message (RFC 2046 section 5.1) piece by piece,
// in whatever pieces it travels, and tells of its parts. It takes what
// [EventReader] takes, never fails, and holds no more than a part's header block:
// a part whose headers are malformed or larger than 32 KiB is passed over. The nil
// scanner takes everything and tells of nothing.
type PartScanner struct {
	delimiter string
	handler   PartHandler

	step   step
	told   bool // of the part at hand
	line   []byte
	held   []byte // a line end, which belongs to the delimiter if one follows
	ends   [2]byte
	inLine bool // what follows in the content is no beginning of a line
	head   PartHead
	lines  int // of the head
}

// A step is what comes next of a message.
type step int

const (
	inContent step = iota // or in what precedes the first delimiter
	inHead
	after
)

// NewPartScanner returns a scanner for a message of that content type, or nil where
// that is not multipart or has no boundary.
func NewPartScanner(contentType string, handler PartHandler) *PartScanner {
	boundary, err := boundaryOf(contentType)
	if err != nil {
		return nil
	}
	return &PartScanner{delimiter: "--" + boundary, handler: handler}
}

// Write takes the next piece of the message. The end of a part is told as soon as
// the delimiter's line is whole. It returns len(p) and nil, always.
func (s *PartScanner) Write(p []byte) (int, error) {
	if s == nil {
		return len(p), nil
	}
	for rest := p; len(rest) > 0 && s.step != after; {
		var piece []byte
		if end := bytes.IndexByte(rest, '\n') + 1; end > 0 {
			piece, rest = rest[:end], rest[end:]
		} else {
			piece, rest = rest, nil
		}
		if s.step == inHead {
			s.header(piece)
		} else {
			s.content(piece)
		}
	}
	return len(p), nil
}

// Close says that the message has ended. Calling it again does nothing.
func (s *PartScanner) Close() {
	if s == nil {
		return
	}
	if s.step == inContent {
		complete, _ := s.delimits(s.line)
		if !complete {
			s.pass(s.line)
			s.data(s.held)
		}
		s.end(complete)
	}
	s.step, s.line, s.held = after, nil, nil
}

// content takes a line of a part, or a piece of one that ends it or is as much as
// there is yet.
func (s *PartScanner) content(piece []byte) {
	if s.inLine {
		s.pass(piece)
		return
	}
	line := piece
	if len(s.line) > 0 {
		line = slices.Concat(s.line, piece)
		s.line = s.line[:0]
	}
	if isWhole(line) {
		if found, last := s.delimits(line); found {
			s.delimited(last)
			return
		}
	} else if s.mayDelimit(line) {
		s.line = append(s.line, line...)
		return
	}
	s.pass(line)
}

// pass tells of content, but for the line end that may belong to a delimiter.
func (s *PartScanner) pass(piece []byte) {
	if string(s.held) == "\r" && string(piece) == "\n" { // a CRLF that lay across two pieces
		s.hold([]byte("\r\n"))
		return
	}
	text := bytes.TrimSuffix(bytes.TrimSuffix(piece, []byte("\n")), []byte("\r"))
	if len(piece) > 0 {
		s.data(s.held)
		s.data(text)
		s.hold(piece[len(text):])
	}
}

func (s *PartScanner) hold(end []byte) {
	s.held = s.ends[:copy(s.ends[:], end)]
	s.inLine = !isWhole(end)
}

// delimited ends a part and begins the next.
func (s *PartScanner) delimited(last bool) {
	s.end(true)
	s.held, s.inLine = nil, false
	s.head, s.lines, s.step = PartHead{}, 0, inHead
	if last {
		s.step = after
	}
}

func (s *PartScanner) header(piece []byte) {
	if len(s.head.Raw)+len(s.line)+len(piece) > headMost {
		s.passOver(!isWhole(piece))
		return
	}
	s.line = append(s.line, piece...)
	if isWhole(s.line) {
		line := s.line
		s.line = s.line[:0]
		s.headerLine(line)
	}
}

func (s *PartScanner) headerLine(line []byte) {
	if found, last := s.delimits(line); found {
		s.delimited(last)
		return
	}
	text := strings.TrimRight(string(line), "\r\n")
	if text == "" {
		s.step, s.told = inContent, true
		if s.handler.Begin != nil {
			s.handler.Begin(s.head)
		}
		return
	}
	s.head.Raw = append(s.head.Raw, line...)
	if s.lines++; s.lines > maxPartHeaders || s.head.add(text) != nil {
		s.passOver(false)
	}
}

// passOver goes on to the next part without a word of this one.
func (s *PartScanner) passOver(inLine bool) {
	s.step, s.told, s.inLine = inContent, false, inLine
	s.line, s.head = s.line[:0], PartHead{}
}

func (s *PartScanner) data(p []byte) {
	if s.told && len(p) > 0 && s.handler.Data != nil {
		s.handler.Data(p)
	}
}

func (s *PartScanner) end(complete bool) {
	if s.told && s.handler.End != nil {
		s.handler.End(complete)
	}
	s.told = false
}

func isWhole(line []byte) bool { return bytes.HasSuffix(line, []byte("\n")) }

// paddingMost bounds the blanks behind a delimiter (RFC 2046 section 5.1.1), and so
// what is held of a line.
const paddingMost = 1 << 10

func (s *PartScanner) delimits(line []byte) (found, last bool) {
	if len(line) > len(s.delimiter)+paddingMost {
		return false, false
	}
	return delimits(line, s.delimiter)
}

// mayDelimit reports whether a line that has not ended can become a delimiter's.
func (s *PartScanner) mayDelimit(line []byte) bool {
	if len(line) < len(s.delimiter) {
		return strings.HasPrefix(s.delimiter, string(line))
	}
	rest, found := bytes.CutPrefix(line, []byte(s.delimiter))
	if !found || len(rest) >= paddingMost {
		return false
	}
	text := bytes.TrimRight(rest, " \t\r")
	return len(text) == 0 || string(text) == "--" || string(rest) == "-"
}
