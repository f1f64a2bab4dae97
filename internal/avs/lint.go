package avs

// A Finding is something about a message that explains what the service makes of
// it. Level is "error", "warning" or "note".
type Finding struct {
	Level string `json:"level"`
	Text  string `json:"text"`
}

// Lint explains what the service would answer 400 or 204 to. complete says that
// body is all of the message.
func Lint(contentType string, body []byte, complete bool) []Finding { return nil }
