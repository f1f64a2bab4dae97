package avs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

const (
	maxPartHead    = 32 << 10 // bytes in the header block of a part
	maxPartHeaders = 64
	// maxPadding bounds the white space after a delimiter (RFC 2046 section 5.1.1), and
	// so how much of a line is buffered.
	maxPadding = 1 << 10
)

// A PartHandler receives the parts of a message. Any of its functions may be nil.
type PartHandler struct {
	Begin func(PartHead)
	// Data receives a piece of the content. p is valid only during the call.
	Data func(p []byte)
	// End is called once for each Begin. complete is false if no delimiter follows the
	// part: then the message was cut off, or its sender left the delimiter out.
	End func(complete bool)
}

// A PartScanner splits a multipart message (RFC 2046 section 5.1) that is written to
// it in pieces of any size. It accepts what real clients send: lines that end in LF,
// CRLF or both, a missing closing delimiter, parts with any name. It never fails and
// buffers no more than a part's header block: it skips a part whose headers are
// malformed or larger than 32 KiB. A nil scanner ignores everything.
type PartScanner struct {
	delimiter string
	handler   PartHandler
	malformed error // why the first part was skipped; nil if none was

	state    scanState
	reported bool   // Begin was called for this part
	line     []byte // the beginning of a line that is not complete
	lineEnd  []byte // a line end that belongs to the delimiter if one follows
	storage  [2]byte
	midLine  bool // the next byte of the content does not begin a line
	head     PartHead
	headers  int // in head
}

// scanState says what the next bytes of the message are.
type scanState int

const (
	inContent scanState = iota // or the preamble, which is before the first delimiter
	inHead
	inEpilogue // after the closing delimiter
)

// NewPartScanner returns a scanner for a message of that content type, or nil if it
// is not multipart or has no boundary.
func NewPartScanner(contentType string, handler PartHandler) *PartScanner {
	boundary, err := boundaryOf(contentType)
	if err != nil {
		return nil
	}
	return newPartScanner(boundary, handler)
}

func newPartScanner(boundary string, handler PartHandler) *PartScanner {
	return &PartScanner{delimiter: "--" + boundary, handler: handler}
}

// Write scans the next piece of the message. A part ends when its delimiter line is
// complete. Write always returns len(p) and nil.
func (s *PartScanner) Write(p []byte) (int, error) {
	if s == nil {
		return len(p), nil
	}
	for piece := range bytes.Lines(p) {
		switch s.state {
		case inHead:
			s.scanHead(piece)
		case inContent:
			s.scanContent(piece)
		}
	}
	return len(p), nil
}

// Close ends the message. A second call does nothing.
func (s *PartScanner) Close() {
	if s == nil {
		return
	}
	switch s.state {
	case inContent:
		complete, _ := s.isDelimiter(s.line)
		if !complete {
			s.pass(s.line)
			s.data(s.lineEnd)
		}
		s.end(complete)
	case inHead:
		if len(bytes.TrimSpace(s.line)) > 0 { // else the closing delimiter lacks its "--"
			s.fail("a part has a header that does not end")
		}
	}
	s.state, s.line, s.lineEnd = inEpilogue, nil, nil
}

// scanContent takes a piece of one line.
func (s *PartScanner) scanContent(piece []byte) {
	if s.midLine {
		s.pass(piece)
		return
	}
	line := piece
	if len(s.line) > 0 {
		line = slices.Concat(s.line, piece)
		s.line = s.line[:0]
	}
	if isComplete(line) {
		if found, closing := s.isDelimiter(line); found {
			s.endPart(closing)
			return
		}
	} else if s.mayBecomeDelimiter(line) {
		s.line = append(s.line, line...)
		return
	}
	s.pass(line)
}

// pass reports content, except a line end that may belong to a delimiter.
func (s *PartScanner) pass(piece []byte) {
	if string(s.lineEnd) == "\r" && string(piece) == "\n" { // a CRLF that was split
		s.keepLineEnd([]byte("\r\n"))
		return
	}
	text := bytes.TrimSuffix(bytes.TrimSuffix(piece, []byte("\n")), []byte("\r"))
	if len(piece) > 0 {
		s.data(s.lineEnd)
		s.data(text)
		s.keepLineEnd(piece[len(text):])
	}
}

func (s *PartScanner) keepLineEnd(end []byte) {
	s.lineEnd = s.storage[:copy(s.storage[:], end)]
	s.midLine = !isComplete(end)
}

// endPart ends a part at its delimiter and begins the next.
func (s *PartScanner) endPart(closing bool) {
	s.end(true)
	s.lineEnd, s.midLine = nil, false
	s.head, s.headers, s.state = PartHead{}, 0, inHead
	if closing {
		s.state = inEpilogue
	}
}

func (s *PartScanner) scanHead(piece []byte) {
	if len(s.head.Raw)+len(s.line)+len(piece) > maxPartHead {
		s.fail("a part's headers are larger than %d bytes", maxPartHead)
		s.skipPart(!isComplete(piece))
		return
	}
	s.line = append(s.line, piece...)
	if isComplete(s.line) {
		line := s.line
		s.line = s.line[:0]
		s.headerLine(line)
	}
}

func (s *PartScanner) headerLine(line []byte) {
	if found, closing := s.isDelimiter(line); found {
		s.fail("a part ends before its headers do")
		s.endPart(closing)
		return
	}
	text := strings.TrimRight(string(line), "\r\n")
	if text == "" {
		s.state, s.reported = inContent, true
		if s.handler.Begin != nil {
			s.handler.Begin(s.head)
		}
		return
	}
	s.head.Raw = append(s.head.Raw, line...)
	if s.headers++; s.headers > maxPartHeaders {
		s.fail("a part has more than %d headers", maxPartHeaders)
		s.skipPart(false)
	} else if !s.head.add(text) {
		s.fail("a blank line is missing between a part's headers and its content")
		s.skipPart(false)
	}
}

func (s *PartScanner) fail(format string, args ...any) {
	if s.malformed == nil {
		s.malformed = fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
}

// skipPart continues with the next part without reporting this one.
func (s *PartScanner) skipPart(midLine bool) {
	s.state, s.reported, s.midLine = inContent, false, midLine
	s.line, s.head = s.line[:0], PartHead{}
}

func (s *PartScanner) data(p []byte) {
	if s.reported && len(p) > 0 && s.handler.Data != nil {
		s.handler.Data(p)
	}
}

func (s *PartScanner) end(complete bool) {
	if s.reported && s.handler.End != nil {
		s.handler.End(complete)
	}
	s.reported = false
}

func isComplete(line []byte) bool { return bytes.HasSuffix(line, []byte("\n")) }

func (s *PartScanner) isDelimiter(line []byte) (found, closing bool) {
	if len(line) > len(s.delimiter)+maxPadding {
		return false, false
	}
	return isDelimiter(line, s.delimiter)
}

// mayBecomeDelimiter reports whether an incomplete line can become a delimiter line.
func (s *PartScanner) mayBecomeDelimiter(line []byte) bool {
	if len(line) < len(s.delimiter) {
		return strings.HasPrefix(s.delimiter, string(line))
	}
	rest, found := bytes.CutPrefix(line, []byte(s.delimiter))
	if !found || len(rest) >= maxPadding {
		return false
	}
	text := bytes.TrimRight(rest, " \t\r")
	return len(text) == 0 || string(text) == "--" || string(rest) == "-"
}
