package avs

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// A Directive is a command from the service to the device. A nil Payload is sent as an
// empty object, because the member is required.
type Directive struct {
	Header
	Payload any
}

// MarshalJSON wraps the directive as the service does:
// {"directive":{"header":{...},"payload":{...}}}.
func (d Directive) MarshalJSON() ([]byte, error) {
	type body struct {
		Header  Header `json:"header"`
		Payload any    `json:"payload"`
	}
	payload := d.Payload
	if payload == nil {
		payload = struct{}{}
	}
	return json.Marshal(map[string]body{"directive": {d.Header, payload}})
}

// SpeechPayload is the payload of SpeechSynthesizer.Speak. ContentID names the
// audio attachment of the same answer.
type SpeechPayload struct {
	ContentID string
	Token     string
}

// MarshalJSON writes the content id as the cid: URL (RFC 2392) that clients resolve.
func (p SpeechPayload) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{
		"url":    "cid:" + p.ContentID,
		"format": "AUDIO_MPEG",
		"token":  p.Token,
	})
}

// SpeechV1 returns the JSON part of a v1 answer whose audio attachment has the
// given content id.
func SpeechV1(contentID string) []byte {
	speak := map[string]any{
		"namespace": "SpeechSynthesizer",
		"name":      "speak",
		"payload": map[string]string{
			"contentIdentifier": contentID,
			"audioContent":      "cid:" + contentID,
		},
	}
	return mustJSON(map[string]any{
		"messageHeader": struct{}{},
		"messageBody":   map[string]any{"directives": []any{speak}},
	})
}

// mustJSON is for values made of strings and maps, which cannot fail to marshal.
func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// maxDirective bounds the JSON parts that are parsed. Real ones have a few kilobytes.
const maxDirective = 256 << 10

// A ReceivedDirective is a directive as the service sent it.
type ReceivedDirective struct {
	Header
	Payload json.RawMessage // nil if it has none
	Raw     []byte          // the JSON as it was sent
}

// NewDirectiveScanner returns a scanner for a message of that content type. It calls
// each with every JSON part that is a directive, except those larger than 256 KiB. It
// is nil if the content type is not multipart.
func NewDirectiveScanner(contentType string, each func(ReceivedDirective)) *PartScanner {
	limit := func(head PartHead) int {
		if head.IsJSON() {
			return maxDirective
		}
		return -1
	}
	// A part that no delimiter follows counts too: its JSON shows whether it was cut off.
	return NewPartScanner(contentType, CollectParts(limit, func(part CollectedPart) {
		if directive, ok := ParseDirective(part.Body); ok {
			each(directive)
		}
	}))
}

// ParseDirective parses the JSON of a directive, and reports whether it is one. The
// result shares memory with text.
func ParseDirective(text []byte) (ReceivedDirective, bool) {
	var message struct {
		Directive *struct {
			Header  Header          `json:"header"`
			Payload json.RawMessage `json:"payload"`
		} `json:"directive"`
	}
	if json.Unmarshal(text, &message) != nil || message.Directive == nil {
		return ReceivedDirective{}, false
	}
	return ReceivedDirective{Header: message.Directive.Header, Payload: message.Directive.Payload, Raw: text}, true
}

// A Part is one piece of a multipart/related answer. ContentID is the bare id,
// as in a cid: URL; empty means none.
type Part struct {
	ContentType string
	ContentID   string
	Body        []byte
}

// RelatedWriter writes a multipart/related answer (RFC 2387) the way the service
// does: the delimiter line that ends a part is sent with the part, so that a reader
// knows at once that the part is complete. Every method makes exactly one Write to the
// underlying writer, so that a flush after it makes one DATA frame.
type RelatedWriter struct {
	w        io.Writer
	boundary string
}

// NewRelatedWriter returns a writer whose boundary is made from id, which must
// be unique to the answer and made of letters, digits and dashes.
func NewRelatedWriter(w io.Writer, id string) *RelatedWriter {
	return &RelatedWriter{w: w, boundary: "------" + id}
}

// ContentType is the content type of the answer to an event. Its root part has the
// content id StartID.
func (r *RelatedWriter) ContentType() string {
	return fmt.Sprintf("multipart/related; boundary=%s; start=%s; type=\"application/json\"", r.boundary, r.StartID())
}

// DownchannelType is the content type of the downchannel. The type parameter is
// not quoted, as in the service's answers, although strict parsers refuse that.
func (r *RelatedWriter) DownchannelType() string {
	return fmt.Sprintf("multipart/related; boundary=%s; type=application/json", r.boundary)
}

// StartID is the content id of the root part of the answer to an event.
func (r *RelatedWriter) StartID() string {
	return "metadata." + r.boundary[len("------"):]
}

// Open writes the delimiter line before the first part.
func (r *RelatedWriter) Open() error {
	_, err := r.w.Write(r.OpenLine())
	return err
}

// OpenLine is what Open writes.
func (r *RelatedWriter) OpenLine() []byte { return []byte("--" + r.boundary + "\r\n") }

// Write writes a part that another one may follow.
func (r *RelatedWriter) Write(part Part) error { return r.write(part, "\r\n") }

// Frame returns a part as Write writes it, but with the header block head.Raw.
func (r *RelatedWriter) Frame(head PartHead, body []byte) []byte {
	return slices.Concat(head.Raw, []byte("\r\n"), body, []byte("\r\n"), r.OpenLine())
}

// Last writes the last part and closes the answer.
func (r *RelatedWriter) Last(part Part) error { return r.write(part, "--\r\n") }

func (r *RelatedWriter) write(part Part, end string) error {
	head := "Content-Type: " + part.ContentType + "\r\n"
	if part.ContentID != "" {
		head += "Content-ID: <" + part.ContentID + ">\r\n"
	}
	_, err := fmt.Fprintf(r.w, "%s\r\n%s\r\n--%s%s", head, part.Body, r.boundary, end)
	return err
}
