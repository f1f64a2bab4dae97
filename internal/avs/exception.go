package avs

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
