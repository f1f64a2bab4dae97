package h1

import (
	"bytes"
	"iter"
	"strconv"
	"strings"

	"avsproxy/internal/h2"
)

// A SyntaxError says what is wrong with a message.
type SyntaxError string

// Error is the detail of a problem.
func (e SyntaxError) Error() string { return string(e) }

// maxHead bounds a head, and a trailer, in bytes: less than what a reader has room for.
const maxHead = 64<<10 - 1

// fieldCost is what a field costs besides its bytes.
const fieldCost = 32

// endOfHead returns the size of the head at the start of p, with the empty line; 0 = it is not
// whole yet. Up to from it was looked at before.
func endOfHead(p []byte, from int) int {
	from = max(0, from-3)
	if i := bytes.Index(p[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return 0
}

// A startLine is the first line of a request (RFC 9112 section 3).
type startLine struct {
	method, target []byte
	minor          byte // of the version: 0 or 1
}

func parseStartLine(line []byte) (s startLine, err error) {
	method, rest, ok := bytes.Cut(line, []byte(" "))
	target, version, ok2 := bytes.Cut(rest, []byte(" "))
	if !ok || !ok2 || !isToken(method) {
		return s, SyntaxError("the first line is not a method, a target and a version (RFC 9112 section 3)")
	}
	if len(version) != 8 || string(version[:7]) != "HTTP/1." || version[7] != '0' && version[7] != '1' {
		return s, SyntaxError("the version is not HTTP/1.1 or HTTP/1.0")
	}
	if err := checkTarget(target); err != nil {
		return s, err
	}
	return startLine{method, target, version[7] - '0'}, nil
}

// checkTarget refuses what no server reads in the same way as all others. Bytes that RFC 3986
// does not have, but everybody takes, pass as they are.
func checkTarget(target []byte) error {
	if len(target) == 0 {
		return SyntaxError("the request has no target")
	}
	for i, c := range target {
		switch {
		case c <= ' ' || c == 0x7f:
			return SyntaxError("the target has a space or a control character")
		case c == '#':
			return SyntaxError("the target has a fragment, which clients keep for themselves (RFC 9110 section 4.2.4)")
		case c == '%' && (i+2 >= len(target) || !isHex(target[i+1]) || !isHex(target[i+2])) && bytes.IndexByte(target[:i], '?') < 0:
			return SyntaxError("the target has a % that is not followed by two hexadecimal digits")
		}
	}
	return nil
}

// A fieldSection is what stands between the first line of a head and its end.
type fieldSection struct {
	fields    []h2.Field // without Host, Transfer-Encoding
	host      string
	hosts     int
	length    int64 // of Content-Length; -1 = there is none
	chunked   bool
	close     bool // Connection says so
	keepAlive bool
	trailers  bool // TE says that a trailer would be taken
	cost      int  // its bytes, and 32 for each field (RFC 9113 section 6.5.2)
}

// parseFields reads lines that each end in CRLF (RFC 9112 section 5).
func parseFields(p []byte, most int) (s fieldSection, err error) {
	s.length, s.cost = -1, len(p)
	for len(p) > 0 {
		if s.cost += fieldCost; s.cost > most {
			return s, h2.ErrHeadTooLarge
		}
		end := bytes.IndexByte(p, '\n')
		if end < 1 || p[end-1] != '\r' {
			return s, SyntaxError("a line does not end in CR LF")
		}
		f, err := parseField(p[:end-1])
		if err != nil {
			return s, err
		}
		if err := s.take(f); err != nil {
			return s, err
		}
		p = p[end+1:]
	}
	if s.chunked && s.length >= 0 {
		return s, SyntaxError("the body has both a Content-Length and a Transfer-Encoding (RFC 9112 section 6.3)")
	}
	return s, nil
}

// parseField reads a line without its end. The copy of its text is the only one.
func parseField(line []byte) (f h2.Field, err error) {
	if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		return f, SyntaxError("a field goes on in the next line (RFC 9112 section 5.2)")
	}
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !isToken(name) {
		return f, SyntaxError("the name of a field is missing, or has a space or a character that is not allowed")
	}
	value = bytes.Trim(value, " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return f, SyntaxError("the value of " + string(name[:min(len(name), 64)]) + " has a control character")
		}
	}
	return h2.NewField(string(name), string(value)), nil
}

// take notes what a field means for the framing. It keeps those that go further.
func (s *fieldSection) take(f h2.Field) error {
	switch f.Name {
	case "host":
		s.hosts++
		s.host = f.Value
		if s.hosts > 1 {
			return SyntaxError("there is more than one Host (RFC 9112 section 3.2)")
		}
		return nil
	case "content-length":
		return s.takeLength(f)
	case "transfer-encoding":
		if s.chunked || !isWord(f.Value, "chunked") {
			return SyntaxError("the Transfer-Encoding is not chunked alone")
		}
		s.chunked = true
		return nil
	case "connection":
		s.close = s.close || hasToken(f.Value, "close")
		s.keepAlive = s.keepAlive || hasToken(f.Value, "keep-alive")
	case "expect":
		if f.Value != "" && !isWord(f.Value, "100-continue") {
			return SyntaxError("what it expects is not 100-continue (RFC 9110 section 10.1.1)")
		}
	case "te":
		s.trailers = s.trailers || hasToken(f.Value, "trailers")
	}
	s.fields = append(s.fields, f)
	return nil
}

// takeLength is RFC 9112 section 6.3. Two lengths are refused, even where they are the same.
func (s *fieldSection) takeLength(f h2.Field) error {
	n, err := strconv.ParseUint(f.Value, 10, 63)
	if err != nil || f.Value[0] == '+' || s.length >= 0 {
		return SyntaxError("there is more than one Content-Length, or it is no number (RFC 9112 section 6.3)")
	}
	s.length = int64(n)
	s.fields = append(s.fields, f)
	return nil
}

// hasToken looks for a word in a list of such.
func hasToken(list, word string) bool {
	for item := range words(list) {
		if isWord(item, word) {
			return true
		}
	}
	return false
}

// words yields the items of a list.
func words(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for item := range strings.SplitSeq(list, ",") {
			if item = strings.Trim(item, " \t"); item != "" && !yield(item) {
				return
			}
		}
	}
}

// isWord compares a text in any case with a word in lower case. strings.EqualFold would take
// U+212A KELVIN SIGN for a "k".
func isWord(text, word string) bool {
	if len(text) != len(word) {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// tokenBytes are those of RFC 9110 section 5.6.2.
var tokenBytes = func() (table [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		table[c] = true
	}
	return table
}()

func isToken(p []byte) bool {
	for _, c := range p {
		if !tokenBytes[c] {
			return false
		}
	}
	return len(p) > 0
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
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
