package avs

import (
	"encoding/json"
	"fmt"
	"strings"
)

// An Event identifies the event that a request posts.
type Event struct {
	Header
	// V1 is set for the older form (messageHeader, messageBody), which has no
	// namespace, name or ids.
	V1 bool
}

// parseEvent parses the metadata part of a request.
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
