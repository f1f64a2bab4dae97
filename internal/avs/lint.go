package avs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// A Level is how grave a finding is. The service refuses a message with an error, or hears no speech
// in it; it accepts a message with a warning from clients in use; a note informs.
type Level string

// The levels of findings.
const (
	LevelError   Level = "error"
	LevelWarning Level = "warning"
	LevelNote    Level = "note"
)

// A Finding explains how the service treats a message.
type Finding struct {
	Level Level  `json:"level"`
	Text  string `json:"text"`
}

// Lint checks a request that posts an event for what the service answers with 400 or
// 415, or with 204 although the user spoke. contentType is the value of its
// Content-Type header. complete says that body is the whole message; otherwise missing
// parts are not reported. nil means that nothing was found.
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

func (l *linter) add(level Level, format string, args ...any) {
	l.findings = append(l.findings, Finding{level, fmt.Sprintf(format, args...)})
}

func (l *linter) message(contentType, boundary string, body []byte) {
	if kind, _, _ := strings.Cut(contentType, ";"); !strings.EqualFold(strings.TrimSpace(kind), "multipart/form-data") {
		l.add(LevelWarning, "the Content-Type is %s; events are sent as multipart/form-data", strings.TrimSpace(kind))
	}
	frame := readFrame(body, "--"+boundary)
	l.frame(frame, boundary, body)
	if frame.noBlank == 0 { // else a part cannot be parsed
		l.parts(lintParts(contentType, body))
	}
}

// A frame describes the lines around the parts' contents. Lines are numbered from 1; 0
// means that there is no such line.
type frame struct {
	delimiters, closing int
	bareLF              int // the first line of the frame that ends without CR
	noBlank             int // a line that is not a header but should be
	bareBoundary        bool
}

// readFrame reads the lines of a message as a [PartScanner] does.
func readFrame(body []byte, delimiter string) frame {
	var f frame
	number, inHead := 0, false
	for line := range bytes.Lines(body) {
		number++
		found, closing := isDelimiter(line, delimiter)
		text := bytes.TrimRight(line, "\r\n")
		switch {
		case found:
			f.delimiters++
			inHead = !closing
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
		if closing {
			f.closing = number
			return f
		}
		inHead = inHead && len(text) > 0
	}
	return f
}

// isHeader reports whether a line begins like a header. A line of JSON has a colon
// too.
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
		l.add(LevelError, "the delimiter lines lack the two dashes before the boundary: --%s", boundary)
	case f.delimiters == 0 && l.complete:
		l.add(LevelError, "the body does not contain the boundary of the Content-Type: there is no line --%s", boundary)
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

// maxLintParts bounds the parts that are checked. Events have two.
const maxLintParts = 100

func lintParts(contentType string, body []byte) (parts []CollectedPart) {
	limit := func(PartHead) int {
		if len(parts) == maxLintParts {
			return -1
		}
		return len(body)
	}
	scanner := NewPartScanner(contentType, CollectParts(limit, func(part CollectedPart) { parts = append(parts, part) }))
	scanner.Write(body)
	scanner.Close()
	return parts
}

func (l *linter) parts(parts []CollectedPart) {
	if len(parts) == 0 {
		return
	}
	for i := range parts {
		parts[i].Complete = parts[i].Complete || l.complete
	}
	first := parts[0]
	if first.Name != "metadata" {
		l.add(LevelWarning, "the first part is named %q and not \"metadata\"", first.Name)
	}
	if !first.IsJSON() {
		l.add(LevelWarning, "the first part's Content-Type is %q and not %s", first.ContentType, JSONType)
	}
	if first.Complete {
		l.metadata(first.Body)
	}
	for _, part := range parts[1:] {
		l.attachment(part)
	}
	if l.event == recognize && len(parts) == 1 && l.complete {
		l.add(LevelError, "a Recognize event needs a part named \"audio\" with the speech")
	}
}
