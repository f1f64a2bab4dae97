package avs

import "encoding/json"

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
