package avs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Levels of findings. The service refuses what is an error, or hears nothing in
// it; clients in use get away with a warning; a note is worth knowing.
const (
	LevelError   = "error"
	LevelWarning = "warning"
	LevelNote    = "note"
)

// A Finding is something about a message that explains what the service makes of
// it.
type Finding struct {
	Level string `json:"level"`
	Text  string `json:"text"`
}

// Lint looks at a request that posts an event, and explains what the service
// would answer with 400 or 415 to, or with 204 though somebody spoke. contentType
// is the value of its Content-Type header. complete says that body is all of the
// message: what may still come is not missed. nil means that nothing was found.
func Lint(contentType string, body []byte, complete bool) []Finding {
	l := &linter{complete: complete}
	boundary, err := boundaryOf(contentType)
	switch {
	case errors.Is(err, ErrNotMultipart):
		l.add(LevelError, "the Content-Type is %q and not multipart/form-data; the service answers 415", contentType)
	case err != nil:
		l.add(LevelError, "the Content-Type has no boundary, so the parts cannot be found")
	default:
		l.message(contentType, boundary, body)
	}
	return l.findings
}

type linter struct {
	complete bool
	findings []Finding
	format   string // of the audio, as the event's payload says
	event    string // namespace.name
}

func (l *linter) add(level, format string, args ...any) {
	l.findings = append(l.findings, Finding{level, fmt.Sprintf(format, args...)})
}

func (l *linter) message(contentType, boundary string, body []byte) {
	if kind, _, _ := strings.Cut(contentType, ";"); !strings.EqualFold(strings.TrimSpace(kind), "multipart/form-data") {
		l.add(LevelWarning, "the Content-Type is %s; events are sent as multipart/form-data", strings.TrimSpace(kind))
	}
	frame := readFrame(body, "--"+boundary)
	l.frame(frame, boundary, body)
	if frame.noBlank == 0 { // else one part or another cannot be read
		l.parts(lintParts(contentType, body))
	}
}

// A frame is what stands around the parts. Its lines are numbered from 1; 0 means
// that there is none.
type frame struct {
	delimiters, closing int
	bareLF              int // a line of the frame that ends without CR
	noBlank             int // a line that is no header
	bareBoundary        bool
}

// readFrame goes through the lines of a message as a reader of parts does.
func readFrame(body []byte, delimiter string) frame {
	var f frame
	number, inHead := 0, false
	for line := range bytes.Lines(body) {
		number++
		found, last := delimits(line, delimiter)
		text := bytes.TrimRight(line, "\r\n")
		switch {
		case found:
			f.delimiters++
			inHead = !last
		case inHead && len(text) > 0 && len(text) < len(line) && !isHeader(text):
			f.noBlank, inHead = number, false
			continue
		case !inHead:
			f.bareBoundary = f.bareBoundary || string(text) == delimiter[2:]
			continue
		}
		if f.bareLF == 0 && bytes.HasSuffix(line, []byte("\n")) && !bytes.HasSuffix(line, []byte("\r\n")) {
			f.bareLF = number
		}
		if last {
			f.closing = number
			return f
		}
		inHead = inHead && len(text) > 0
	}
	return f
}

// isHeader reports whether a line begins as a header does: a line of JSON has a
// colon too.
func isHeader(line []byte) bool {
	name, _, found := bytes.Cut(line, []byte(":"))
	return found && len(bytes.TrimSpace(name)) > 0 && !bytes.ContainsAny(name, `{}[]"<>(),;=`)
}

func (l *linter) frame(f frame, boundary string, body []byte) {
	switch {
	case len(body) == 0:
		if l.complete {
			l.add(LevelError, "the body is empty")
		}
		return
	case f.delimiters == 0 && f.bareBoundary:
		l.add(LevelError, "the delimiter lines lack the two dashes that stand before the boundary: --%s", boundary)
	case f.delimiters == 0 && l.complete:
		l.add(LevelError, "the boundary of the Content-Type does not stand in the body: there is no line --%s", boundary)
	case f.closing == 0 && l.complete:
		l.add(LevelWarning, "the closing delimiter --%s-- is missing; the service may wait for more, or answer 400", boundary)
	}
	if f.bareLF > 0 {
		l.add(LevelWarning, "line %d ends in LF instead of CRLF (RFC 2046 section 4.1.1); with curl use --form, or printf with \\r\\n", f.bareLF)
	}
	if f.noBlank > 0 {
		l.add(LevelError, "the blank line between a part's headers and its content is missing before line %d", f.noBlank)
	}
}

// A lintPart is a part as far as it is there.
type lintPart struct {
	PartHead
	data     []byte
	complete bool
}

// lintPartsMost bounds the parts that are looked at. Events have two.
const lintPartsMost = 100

func lintParts(contentType string, body []byte) (parts []lintPart) {
	var at *lintPart // nil = beyond the bound
	scanner := NewPartScanner(contentType, PartHandler{
		Begin: func(head PartHead) {
			if at = nil; len(parts) < lintPartsMost {
				parts = append(parts, lintPart{PartHead: head})
				at = &parts[len(parts)-1]
			}
		},
		Data: func(p []byte) {
			if at != nil {
				at.data = append(at.data, p...)
			}
		},
		End: func(complete bool) {
			if at != nil {
				at.complete = complete
			}
		},
	})
	scanner.Write(body)
	scanner.Close()
	return parts
}

func (l *linter) parts(parts []lintPart) {
	if len(parts) == 0 {
		return
	}
	for i := range parts {
		parts[i].complete = parts[i].complete || l.complete
	}
	first := parts[0]
	if first.Name != "metadata" {
		l.add(LevelWarning, "the first part is called %q and not \"metadata\"", first.Name)
	}
	if !first.IsJSON() {
		l.add(LevelWarning, "the first part's Content-Type is %q and not %s", first.ContentType, JSONType)
	}
	if first.complete {
		l.metadata(first.data)
	}
	for _, part := range parts[1:] {
		l.attachment(part)
	}
	if l.event == recognize && len(parts) == 1 && l.complete {
		l.add(LevelError, "a Recognize event needs a part called \"audio\" with what was said")
	}
}
