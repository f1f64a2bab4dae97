package avs

import (
	"encoding/json"
	"strings"
)

// directiveMost bounds the JSON parts that are looked at; the service's have a few
// kilobytes.
const directiveMost = 256 << 10

// A Passing is a directive or an event as it was seen on the wire.
type Passing struct {
	Header
	Payload json.RawMessage // nil = it has none
	Raw     []byte          // the JSON as it came
}

// NewDirectiveScanner returns a scanner for a message of that content type which
// calls each for every JSON part that is a directive. Larger ones than 256 KiB are
// passed over. It is nil where the content type is not multipart.
func NewDirectiveScanner(contentType string, each func(Passing)) *PartScanner {
	return newJSONScanner(contentType, func(text []byte) {
		if directive, ok := ParseDirective(text); ok {
			each(directive)
		}
	})
}

// newJSONScanner calls each with the whole of every JSON part. A part that no
// delimiter follows is one too: its JSON tells whether it was cut.
func newJSONScanner(contentType string, each func(text []byte)) *PartScanner {
	var text []byte
	taking := false
	return NewPartScanner(contentType, PartHandler{
		Begin: func(head PartHead) { text, taking = nil, head.IsJSON() },
		Data: func(p []byte) {
			if taking = taking && len(text)+len(p) <= directiveMost; !taking {
				text = nil
				return
			}
			text = append(text, p...)
		},
		End: func(bool) {
			if taking {
				each(text)
			}
			text = nil
		},
	})
}

// ParseDirective reads the JSON of a directive, and reports whether it is one.
// What it returns shares memory with text.
func ParseDirective(text []byte) (Passing, bool) {
	var message struct {
		Directive *struct {
			Header  Header          `json:"header"`
			Payload json.RawMessage `json:"payload"`
		} `json:"directive"`
	}
	if json.Unmarshal(text, &message) != nil || message.Directive == nil {
		return Passing{}, false
	}
	return Passing{Header: message.Directive.Header, Payload: message.Directive.Payload, Raw: text}, true
}

// IsJSON reports whether the part says that it is JSON.
func (h PartHead) IsJSON() bool { return strings.Contains(strings.ToLower(h.ContentType), "json") }
