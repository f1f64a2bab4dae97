package avs

import "encoding/json"

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
