// Package avs knows the Alexa Voice Service on the wire: its paths, its
// multipart events and directives, its exceptions. It opens no connection and no
// file.
package avs

import "encoding/json"

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

// IsGateway reports whether host, in lower case and without a port, is a present or
// former name of the service.
func IsGateway(host string) bool {
	switch host {
	case "alexa.na.gateway.devices.a2z.com", "avs-alexa-na.amazon.com", // North America
		"alexa.eu.gateway.devices.a2z.com", "avs-alexa-eu.amazon.com", // Europe
		"alexa.fe.gateway.devices.a2z.com", "avs-alexa-fe.amazon.com": // Far East
		return true
	}
	return false
}

// Endpoint returns the address in a directive that tells the device to use another
// endpoint: System.SetEndpoint, or its successor Alexa.ApiGateway.SetGateway. The
// address is not validated. ok is false for any other directive.
func Endpoint(h Header, payload json.RawMessage) (address string, ok bool) {
	var to struct {
		Endpoint string `json:"endpoint"`
		Gateway  string `json:"gateway"`
	}
	switch {
	case h.Is("System", "SetEndpoint"):
		err := json.Unmarshal(payload, &to)
		return to.Endpoint, err == nil
	case h.Is("Alexa.ApiGateway", "SetGateway"):
		err := json.Unmarshal(payload, &to)
		return to.Gateway, err == nil
	}
	return "", false
}

// Codes of exceptions; the comment is the HTTP status that carries each.
const (
	CodeInvalidRequest   = "INVALID_REQUEST_EXCEPTION"      // 400
	CodeUnauthorized     = "UNAUTHORIZED_REQUEST_EXCEPTION" // 403, never 401
	CodeUnsupportedMedia = "UNSUPPORTED_MEDIA_TYPE"         // 415
	CodeThrottling       = "THROTTLING_EXCEPTION"           // 429
	CodeInternal         = "INTERNAL_SERVICE_EXCEPTION"     // 500
)

// Codes of the older v1 service.
const (
	CodeInvalidTokenV1   = "com.amazon.alexahttpproxy.exceptions.InvalidAccessTokenException" // 403
	CodeInvalidRequestV1 = "com.amazon.alexahttpproxy.exceptions.BadRequestException"         // 400
)

// ExceptionType is the content type of every exception body: plain JSON, even
// where the answer would have been multipart.
const ExceptionType = "application/json"

// Exception returns the body of a System.Exception. An empty description is
// sent as null, as the service does.
func Exception(messageID, code, description string) []byte {
	payload := map[string]any{"code": code, "description": nil}
	if description != "" {
		payload["description"] = description
	}
	return mustJSON(map[string]any{
		"header":  Header{Namespace: "System", Name: "Exception", MessageID: messageID},
		"payload": payload,
	})
}

// MissingToken returns the body with which the service answers a request that
// has no Authorization header at all. It is shaped unlike other exceptions.
func MissingToken() []byte {
	return failure(CodeUnauthorized, "Unable to authenticate the request. Please provide a valid authorization token.")
}

// InvalidTokenV1 returns the body with which the v1 service refuses a token.
func InvalidTokenV1() []byte {
	return failure(CodeInvalidTokenV1, "AVS was not able to validate the provided access token.")
}

// InvalidRequestV1 returns the body with which the v1 service refuses a request
// that it cannot read.
func InvalidRequestV1(message string) []byte {
	return failure(CodeInvalidRequestV1, message)
}

func failure(code, message string) []byte {
	return mustJSON(map[string]any{"error": map[string]string{"code": code, "message": message}})
}
