// Package avs knows the Alexa Voice Service on the wire: its paths, its
// multipart events and directives, its exceptions. It opens no connection and no
// file.
package avs

// Paths of the service. Ping has no version prefix.
const (
	PathPing        = "/ping"
	PathEvents      = "/v20160207/events"
	PathDirectives  = "/v20160207/directives"
	PathRecognizeV1 = "/v1/avs/speechrecognizer/recognize"
)

// JSONType is the content type of a metadata or directive part, AudioType the
// one of an audio attachment. The older v1 uses AudioTypeV1.
const (
	JSONType    = "application/json; charset=UTF-8"
	AudioType   = "application/octet-stream"
	AudioTypeV1 = "audio/mpeg"
)

// A Header identifies an event or a directive.
type Header struct {
	Namespace       string `json:"namespace"`
	Name            string `json:"name"`
	MessageID       string `json:"messageId"`
	DialogRequestID string `json:"dialogRequestId,omitempty"`
}

// Is reports whether the header is that of namespace.name.
func (h Header) Is(namespace, name string) bool {
	return h.Namespace == namespace && h.Name == name
}
