package h2

import (
	"strconv"
	"strings"
)

// A Head is the head of a request or of an answer (RFC 9113 section 8.3).
type Head struct {
	Method, Scheme, Authority, Path string // of a request
	Protocol                        string // of an extended CONNECT (RFC 8441); empty = none
	Proto                           string // "HTTP/1.0", "HTTP/1.1"; empty = HTTP/2
	Target                          string // of HTTP/1.x, as it came
	Chunked                         bool   // a body of HTTP/1.x comes in chunks
	Status                          int    // of an answer
	// Fields are the regular fields, in their order and spelling. They are not to be kept
	// longer than the call that gets them, but for their texts.
	Fields []Field
	// Length is what Content-Length says; -1 = there is none.
	Length int64
}

// Get returns the first value of a field, whose name is in lower case; empty = there is none.
func (h *Head) Get(name string) string {
	for i := range h.Fields {
		if h.Fields[i].Name == name {
			return h.Fields[i].Value
		}
	}
	return ""
}

// A malformed error says which rule of RFC 9113 section 8 a message breaks.
type malformed string

func (m malformed) Error() string { return "malformed: " + string(m) }

// parseHead reads a block of fields in the order of the wire. server = it is a request's.
func (h *Head) parse(block []Field, server bool) error {
	*h = Head{Length: -1}
	seen, first := 0, 0 // first = the first regular field
	for i := range block {
		f := &block[i]
		if f.isPseudo() {
			if first < i {
				return malformed("a pseudo-header field behind others")
			}
			first++
			bit, err := h.pseudo(f, server)
			if err != nil {
				return err
			}
			if seen&bit != 0 {
				return malformed("the same pseudo-header field twice")
			}
			seen |= bit
			continue
		}
		if !f.valid {
			if err := checkField(f); err != nil {
				return err
			}
		}
		if f.Name == "content-length" {
			if err := h.setLength(f.Value); err != nil {
				return err
			}
		}
	}
	h.Fields = block[first:]
	if server {
		return h.checkRequest(seen)
	}
	if seen != bitStatus {
		return malformed("an answer without :status")
	}
	return nil
}

const (
	bitMethod = 1 << iota
	bitScheme
	bitAuthority
	bitPath
	bitProtocol
	bitStatus
)

// pseudo takes a pseudo-header field (RFC 9113 section 8.3).
func (h *Head) pseudo(f *Field, server bool) (bit int, err error) {
	if !f.valid && !validValue(f.Value) {
		return 0, malformed("a value with bytes that are not allowed")
	}
	if !server {
		if f.Name != ":status" {
			return 0, malformed("an unknown pseudo-header field")
		}
		h.Status, err = parseStatus(f.Value)
		return bitStatus, err
	}
	switch f.Name {
	case ":method":
		h.Method = f.Value
		return bitMethod, nil
	case ":scheme":
		h.Scheme = f.Value
		return bitScheme, nil
	case ":authority":
		h.Authority = f.Value
		return bitAuthority, nil
	case ":path":
		h.Path = f.Value
		return bitPath, nil
	case ":protocol":
		h.Protocol = f.Value
		return bitProtocol, nil
	}
	return 0, malformed("an unknown pseudo-header field")
}

func parseStatus(text string) (int, error) {
	status, err := strconv.Atoi(text)
	if err != nil || len(text) != 3 || status < 100 {
		return 0, malformed("a status that is no number of three digits")
	}
	return status, nil
}

// checkRequest is RFC 9113 sections 8.3.1 and 8.5, and RFC 8441 section 4.
func (h *Head) checkRequest(seen int) error {
	switch {
	case seen&bitMethod == 0 || !isToken(h.Method):
		return malformed("a request without a method")
	case h.Method == "CONNECT" && seen&bitProtocol == 0:
		if seen != bitMethod|bitAuthority || h.Authority == "" {
			return malformed("a CONNECT that has more than an authority")
		}
		return nil
	case seen&bitProtocol != 0 && (h.Method != "CONNECT" || seen&bitAuthority == 0):
		return malformed(":protocol without an extended CONNECT")
	case seen&bitScheme == 0 || h.Scheme == "" || seen&bitPath == 0:
		return malformed("a request without :scheme or :path")
	case h.Path == "" || h.Path[0] != '/' && (h.Path != "*" || h.Method != "OPTIONS"):
		return malformed("a :path that is none")
	}
	return nil
}

// setLength takes a Content-Length; two may only say the same (RFC 9110 section 8.6).
func (h *Head) setLength(text string) error {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || text[0] == '+' || h.Length >= 0 && h.Length != int64(n) {
		return malformed("content-length")
	}
	h.Length = int64(n)
	return nil
}

// checkField is RFC 9113 section 8.2.
func checkField(f *Field) error {
	switch {
	case !validName(f.Name):
		return malformed("a field name with bytes that are not allowed")
	case !validValue(f.Value):
		return malformed("a value with bytes that are not allowed")
	}
	switch f.Name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		return malformed("a field of HTTP/1.1's connections")
	case "te":
		if f.Value != "trailers" {
			return malformed("te that is not trailers")
		}
	}
	return nil
}

// checkTrailer is for a block behind a body (RFC 9113 section 8.1).
func checkTrailer(block []Field) error {
	for i := range block {
		if strings.HasPrefix(block[i].Name, ":") {
			return malformed("a pseudo-header field in a trailer")
		}
		if err := checkField(&block[i]); err != nil {
			return err
		}
	}
	return nil
}

// Bytes by where they may stand.
const (
	inName  = 1 << iota // of a field, in lower case (RFC 9110 section 5.6.2, RFC 9113 section 8.2.1)
	inToken             // upper case too
	inValue
)

var bytesIn = func() (table [256]byte) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
		table[c] |= inName | inToken
	}
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		table[c] |= inToken
	}
	for c := range table {
		if c >= ' ' && c != 0x7f || c == '\t' {
			table[c] |= inValue
		}
	}
	return table
}()

func allIn(text string, class byte) bool {
	for i := range len(text) {
		if bytesIn[text[i]]&class == 0 {
			return false
		}
	}
	return true
}

func validName(name string) bool { return name != "" && allIn(name, inName) }

func isToken(text string) bool { return text != "" && allIn(text, inToken) }

// validValue refuses control characters, and spaces at either end.
func validValue(value string) bool {
	if value == "" {
		return true
	}
	first, last := value[0], value[len(value)-1]
	return first != ' ' && first != '\t' && last != ' ' && last != '\t' && allIn(value, inValue)
}
