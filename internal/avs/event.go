package avs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// parseEvent parses the metadata part of a request.
func parseEvent(text []byte) (Header, error) {
	var message struct {
		Event *struct {
			Header Header `json:"header"`
		} `json:"event"`
		MessageBody json.RawMessage `json:"messageBody"`
	}
	err := json.Unmarshal(text, &message)
	switch {
	case err != nil:
		return Header{}, fmt.Errorf("%w: the metadata part is not JSON: %v", ErrMalformed, err)
	case message.Event != nil && message.Event.Header.Namespace != "" && message.Event.Header.Name != "":
		return message.Event.Header, nil
	case message.MessageBody != nil: // the older form, with a messageHeader
		return Header{}, nil
	default:
		return Header{}, fmt.Errorf("%w: the metadata names no event", ErrMalformed)
	}
}

// SynchronizeState returns the request that a device sends first on each
// connection: its content type, and a body with an empty context. messageID must
// be unique, and made of letters, digits and dashes.
func SynchronizeState(messageID string) (contentType, body string) {
	header := Header{Namespace: "System", Name: "SynchronizeState", MessageID: messageID}
	metadata := mustJSON(map[string]any{
		"context": []any{},
		"event":   map[string]any{"header": header, "payload": struct{}{}},
	})
	boundary := "------" + messageID
	return "multipart/form-data; boundary=" + boundary, strings.Join([]string{
		"--" + boundary,
		`Content-Disposition: form-data; name="metadata"`,
		"Content-Type: " + JSONType,
		"",
		string(metadata),
		"--" + boundary + "--",
		"",
	}, "\r\n")
}

// ErrNotMultipart says that a request is not a multipart message (the service answers
// 415). ErrMalformed says that the message cannot be parsed or has no event (400). Any
// other error of this package's readers comes from the underlying reader.
var (
	ErrNotMultipart = errors.New("the content type is not multipart")
	ErrMalformed    = errors.New("malformed event")
)

// maxMetadata bounds the metadata part, the only one that is kept in memory.
const maxMetadata = 1 << 20

const readSize = 32 << 10

// An EventReader reads a request that posts an event while it arrives: first the
// event, then the attachments behind it. It keeps only the metadata in memory. It
// accepts what a [PartScanner] accepts, but fails where that skips a part.
type EventReader struct {
	body    io.Reader
	scanner *PartScanner
	buffer  []byte

	parts      int // that began, since the metadata if that is complete
	inMetadata bool
	metadata   CollectedPart
	complete   bool  // metadata is
	audio      int64 // bytes in all other parts
}

// NewEventReader returns a reader of a request's body. contentType is the value of
// the request's Content-Type header; only its boundary is used.
func NewEventReader(body io.Reader, contentType string) (*EventReader, error) {
	boundary, err := boundaryOf(contentType)
	if err != nil {
		return nil, err
	}
	r := &EventReader{body: body}
	r.scanner = newPartScanner(boundary, PartHandler{Begin: r.beginPart, Data: r.addContent, End: r.endPart})
	return r, nil
}

// The metadata part should be named "metadata", but clients in use name it "request",
// or name all parts "file".
func (r *EventReader) beginPart(head PartHead) {
	r.parts++
	r.inMetadata = !r.complete && (head.Name == "metadata" || head.Name == "request" || head.IsJSON())
}

func (r *EventReader) addContent(p []byte) {
	first := r.parts == 1 && r.audio == 0 && !r.complete // of the first part
	if r.inMetadata = r.inMetadata || first && p[0] == '{'; r.inMetadata {
		r.metadata.add(p, maxMetadata)
		return
	}
	r.audio += int64(len(p))
}

func (r *EventReader) endPart(bool) {
	if r.inMetadata && !r.complete && !r.metadata.TooLarge && r.scanner.malformed == nil {
		r.complete, r.parts = true, 0
	}
}

// Event returns the header of the event. That of the older v1 is empty. It reads until the
// metadata part ends and no further, so that an answer can begin while the user still
// speaks.
func (r *EventReader) Event() (Header, error) {
	for !r.complete {
		switch {
		case r.scanner.malformed != nil:
			return Header{}, r.scanner.malformed
		case r.metadata.TooLarge:
			return Header{}, fmt.Errorf("%w: the metadata part is larger than %d bytes", ErrMalformed, maxMetadata)
		case r.ended():
			return Header{}, fmt.Errorf("%w: it has no metadata part", ErrMalformed)
		}
		if err := r.read(); err != nil && !r.complete {
			return Header{}, err
		}
	}
	return parseEvent(r.metadata.Body)
}

// read scans the next piece of the body, or its end.
func (r *EventReader) read() error {
	if r.buffer == nil {
		r.buffer = make([]byte, readSize)
	}
	n, err := r.body.Read(r.buffer)
	r.scanner.Write(r.buffer[:n])
	if err == io.EOF {
		r.scanner.Close()
		return nil
	}
	return err
}

func (r *EventReader) ended() bool { return r.scanner.state == inEpilogue }

// More reports whether another part may follow the metadata. That of an event without
// audio ends with the closing delimiter.
func (r *EventReader) More() bool { return r.parts > 0 || r.scanner.malformed != nil || !r.ended() }

// AudioSize reads the rest of the message and returns the size of all attachments in
// bytes.
func (r *EventReader) AudioSize() (int64, error) {
	for !r.ended() && r.scanner.malformed == nil {
		if err := r.read(); err != nil && !r.ended() {
			return r.audio, err
		}
	}
	return r.audio, r.scanner.malformed
}

// EventName returns the namespace and name of the event that a request posts, with a
// dot between them. It is empty if the body, which may be incomplete, has none.
func EventName(contentType string, body []byte) string {
	reader, err := NewEventReader(nil, contentType)
	if err != nil {
		return ""
	}
	reader.scanner.Write(body)
	reader.scanner.Close()
	event, err := reader.Event()
	if err != nil || event.Name == "" {
		return ""
	}
	return event.Namespace + "." + event.Name
}
