package avs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrNotMultipart says that a request is no multipart message at all (the
// service answers 415). ErrMalformed says that it is one that cannot be read, or
// that holds no event (400). Any other error of this package's readers comes
// from the underlying reader.
var (
	ErrNotMultipart = errors.New("the content type is not multipart")
	ErrMalformed    = errors.New("malformed event")
)

// maxMetadata bounds the metadata part, the only one that is kept in memory.
const maxMetadata = 1 << 20

// An Event is what the metadata part of a request says about itself.
type Event struct {
	Header
	// V1 is set for the older form (messageHeader, messageBody), which has no
	// namespace, name or ids.
	V1 bool
}

// EventReader reads one event request as it arrives: first the event, then the
// attachments behind it. It holds no more than the metadata in memory. It reads
// what real clients send, which is looser than RFC 7578: bare line feeds, a
// missing final delimiter, parts with any name.
type EventReader struct {
	parts *partReader
	audio int64
}

// NewEventReader returns a reader of a request's body. contentType is the value
// of the request's Content-Type header; only its boundary is used.
func NewEventReader(body io.Reader, contentType string) (*EventReader, error) {
	boundary, err := boundaryOf(contentType)
	if err != nil {
		return nil, err
	}
	return &EventReader{parts: newPartReader(body, boundary)}, nil
}

// Event reads as far as the end of the metadata part and no further, so that an
// answer can begin while the audio is still being spoken.
func (r *EventReader) Event() (Event, error) {
	for {
		head, err := r.parts.next()
		if err == io.EOF {
			return Event{}, fmt.Errorf("%w: it has no metadata part", ErrMalformed)
		}
		if err != nil {
			return Event{}, err
		}
		if r.parts.isMetadata(head) {
			return r.metadata()
		}
		if err := r.count(); err != nil {
			return Event{}, err
		}
	}
}

// More reports whether a part follows the metadata: an event without audio ends
// right after it.
func (r *EventReader) More() bool { return !r.parts.ended }

// AudioSize reads the rest of the message and returns the size of all
// attachments in bytes.
func (r *EventReader) AudioSize() (int64, error) {
	for {
		_, err := r.parts.next()
		if err == io.EOF {
			return r.audio, nil
		}
		if err != nil {
			return r.audio, err
		}
		if err := r.count(); err != nil {
			return r.audio, err
		}
	}
}

func (r *EventReader) count() error {
	var size counter
	err := r.parts.content(&size)
	r.audio += int64(size)
	return err
}

func (r *EventReader) metadata() (Event, error) {
	text := &limitedBuffer{limit: maxMetadata}
	if err := r.parts.content(text); err != nil {
		return Event{}, err
	}
	return parseEvent(text.Bytes())
}

func parseEvent(text []byte) (Event, error) {
	var message struct {
		Event *struct {
			Header Header `json:"header"`
		} `json:"event"`
		MessageBody json.RawMessage `json:"messageBody"`
	}
	err := json.Unmarshal(text, &message)
	switch {
	case err != nil:
		return Event{}, fmt.Errorf("%w: the metadata part is not JSON: %v", ErrMalformed, err)
	case message.Event != nil && message.Event.Header.Namespace != "" && message.Event.Header.Name != "":
		return Event{Header: message.Event.Header}, nil
	case message.MessageBody != nil:
		return Event{V1: true}, nil
	default:
		return Event{}, fmt.Errorf("%w: the metadata names no event", ErrMalformed)
	}
}

// boundaryOf finds the boundary in a content type that mime.ParseMediaType may
// refuse: with spaces around "=", unquoted characters that need quotes, or
// apostrophes instead of quotes.
func boundaryOf(contentType string) (string, error) {
	kind, params, _ := strings.Cut(contentType, ";")
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(kind)), "multipart/") {
		return "", ErrNotMultipart
	}
	for _, param := range splitParams(params) {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "boundary") {
			continue
		}
		if boundary := unquote(strings.TrimSpace(value)); boundary != "" {
			return boundary, nil
		}
	}
	return "", fmt.Errorf("%w: the content type has no boundary", ErrMalformed)
}

// splitParams cuts at semicolons outside of double quotes.
func splitParams(params string) []string {
	quoted := false
	return strings.FieldsFunc(params, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return c == ';' && !quoted
	})
}

func unquote(value string) string {
	for _, quote := range []string{`"`, `'`} {
		inner, found := strings.CutPrefix(value, quote)
		if found && strings.HasSuffix(inner, quote) {
			return strings.TrimSuffix(inner, quote)
		}
	}
	return value
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

type limitedBuffer struct {
	bytes.Buffer
	limit int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		return 0, fmt.Errorf("%w: the metadata part is larger than %d bytes", ErrMalformed, b.limit)
	}
	return b.Buffer.Write(p)
}

// EventName is the namespace and name of the event that a request posts, with a dot
// between them; empty = there is none in what is known of its body.
func EventName(contentType string, body []byte) string {
	reader, err := NewEventReader(bytes.NewReader(body), contentType)
	if err != nil {
		return ""
	}
	event, err := reader.Event()
	if err != nil || event.Name == "" {
		return ""
	}
	return event.Namespace + "." + event.Name
}
