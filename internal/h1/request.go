package h1

import (
	"bytes"
	"strings"

	"avsproxy/internal/h2"
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

// parse reads a head. What is the same as in the head before is taken from there.
func (k *knownHead) parse(p []byte) (*h2.Head, error) {
	end := bytes.IndexByte(p, '\n')
	if end < 1 || p[end-1] != '\r' {
		return nil, SyntaxError("a line does not end in CR LF")
	}
	line, err := parseStartLine(p[:end-1])
	if err != nil {
		return nil, err
	}
	section := p[end+1 : len(p)-2]
	if k.section == nil || k.minor != line.minor || !bytes.Equal(k.section, section) {
		k.section, k.minor = append(k.section[:0], section...), line.minor
		if k.parsed, err = parseFields(section, maxHead); err != nil {
			return nil, err // and the connection ends
		}
	}
	if err := checkHead(&line, &k.parsed); err != nil {
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
