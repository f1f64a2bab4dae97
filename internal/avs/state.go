package avs

import "strings"

// SynchronizeState returns the request that a device sends first on each
// connection: its content type, and a body with an empty context. messageID must
// be unique, and made of letters, digits and dashes.
func SynchronizeState(messageID string) (contentType, body string) {
	type event struct {
		Header  Header   `json:"header"`
		Payload struct{} `json:"payload"`
	}
	metadata := mustJSON(map[string]any{
		"context": []any{},
		"event":   event{Header: Header{Namespace: "System", Name: "SynchronizeState", MessageID: messageID}},
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
