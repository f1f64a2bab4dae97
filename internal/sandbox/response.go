package sandbox

import (
	"crypto/subtle"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
)

const maxTokenRequest = 64 << 10

// A tokenRequest is a request to the token endpoint or a similar one, from a form or
// from JSON.
type tokenRequest struct {
	url.Values   // nil if the request could not be read
	clientID     string
	clientSecret string
}

// require returns an error if the request lacks one of the fields.
func (q tokenRequest) require(names ...string) *oauthError {
	for _, name := range names {
		if q.Get(name) == "" {
			return missing(name)
		}
	}
	return nil
}

// authenticate checks the required fields and the client. public means that the client
// sent no secret.
func (q tokenRequest) authenticate(required ...string) (public bool, refusal *oauthError) {
	switch refusal := q.require(required...); {
	case refusal != nil:
		return false, refusal
	case q.clientID == "":
		return false, missing("client_id")
	case q.clientID != ClientID:
		return false, invalidValue("client_id")
	case q.clientSecret == "":
		return true, nil
	case subtle.ConstantTimeCompare([]byte(q.clientSecret), []byte(ClientSecret)) != 1:
		return false, errInvalidClient
	}
	return false, nil
}

func readTokenRequest(w http.ResponseWriter, r *http.Request) (tokenRequest, *oauthError) {
	if r.Method != http.MethodPost {
		return tokenRequest{}, wrongMethod(w, http.MethodPost, "This endpoint takes POST only")
	}
	fields, refusal := readFields(w, r)
	if refusal != nil {
		return tokenRequest{}, refusal
	}
	for name, values := range fields {
		if len(values) > 1 {
			return tokenRequest{}, badRequest("invalid_request", "The request includes a duplicate parameter : "+name)
		}
	}
	q := tokenRequest{fields, fields.Get("client_id"), fields.Get("client_secret")}
	if id, secret, ok := r.BasicAuth(); ok { // both are form-encoded (RFC 6749 section 2.3.1)
		q.clientID, _ = url.QueryUnescape(id)
		q.clientSecret, _ = url.QueryUnescape(secret)
	}
	return q, nil
}

// readFields reads a form or JSON; LWA accepts both.
func readFields(w http.ResponseWriter, r *http.Request) (fields url.Values, refusal *oauthError) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTokenRequest))
	if err != nil {
		return nil, errMalformed
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		var members map[string]string
		err = json.Unmarshal(body, &members)
		fields = url.Values{}
		for name, value := range members {
			fields.Set(name, value)
		}
	case "multipart/form-data": // LWA ignores its fields, and so finds no known grant type
		return nil, errUnsupportedGrant
	default:
		fields, err = url.ParseQuery(string(body))
	}
	if err != nil {
		return nil, errMalformed
	}
	return fields, nil
}

const jsonType = "application/json;charset=UTF-8"

// A response is a complete answer of LWA or of the control API.
type response struct {
	status      int
	errorCode   string // of an oauthError
	contentType string
	retryAfter  string
	body        []byte
}

func jsonResponse(status int, value any) response {
	return response{status: status, contentType: jsonType, body: append(mustJSON(value), '\n')}
}

// mustJSON is for values of our own making, which have JSON.
func mustJSON(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

func pageResponse(status int, page string) response {
	return response{status: status, contentType: "text/html;charset=UTF-8", body: []byte(page)}
}

// response returns the answer on w, whose request ID it repeats.
func (e *oauthError) response(w http.ResponseWriter) response {
	answer := jsonResponse(e.status, map[string]string{
		"error":             e.code,
		"error_description": e.description,
		"request_id":        w.Header().Get("x-amzn-RequestId"),
	})
	answer.errorCode = e.code
	return answer
}

// query returns the error as the parameters of a redirect (RFC 6749 section 4.1.2.1).
func (e *oauthError) query() url.Values {
	return url.Values{"error": {e.code}, "error_description": {e.description}}
}

func (a response) writeHead(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", a.contentType)
	header.Set("Cache-Control", "no-store")
	header.Set("Pragma", "no-cache")
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	if a.retryAfter != "" {
		header.Set("Retry-After", a.retryAfter)
	}
	w.WriteHeader(a.status)
}

func (a response) write(w http.ResponseWriter) {
	a.writeHead(w)
	w.Write(a.body)
}

func loginResponse(w http.ResponseWriter, members map[string]any, refusal *oauthError) response {
	if refusal != nil {
		return refusal.response(w)
	}
	return jsonResponse(http.StatusOK, members)
}

// An oauthError is an error answer of LWA (RFC 6749 section 5.2).
type oauthError struct {
	status      int
	code        string
	description string
}

// The errors whose text is always the same.
var (
	errMalformed            = badRequest("invalid_request", "The request is malformed")
	errInvalidCode          = badRequest("invalid_grant", "The request has an invalid grant parameter : code")
	errInvalidRefreshToken  = badRequest("invalid_grant", "The request has an invalid grant parameter : refresh_token. User may have revoked or didn't grant the permission.")
	errInvalidClient        = &oauthError{http.StatusUnauthorized, "invalid_client", "Client authentication failed"}
	errUnauthorizedClient   = badRequest("unauthorized_client", "Not authorized for requested operation")
	errUnsupportedGrant     = badRequest("unsupported_grant_type", "The authorization grant type is not supported by the authorization server")
	errAuthorizationPending = badRequest("authorization_pending", "The user has not yet decided about the code pair")
	errSlowDown             = badRequest("slow_down", "The code pair is polled too often")
	errInvalidCodePair      = badRequest("invalid_code_pair", "The code pair is unknown, expired or used")
	errAccessDenied         = badRequest("access_denied", "Access not permitted.")
	errThrottled            = &oauthError{http.StatusTooManyRequests, "throttling", "Rate exceeded"}
)

func badRequest(code, description string) *oauthError {
	return &oauthError{http.StatusBadRequest, code, description}
}

func missing(parameter string) *oauthError {
	return badRequest("invalid_request", "The request is missing a required parameter : "+parameter)
}

func invalid(parameter string) *oauthError {
	return badRequest("invalid_request", "The request has an invalid parameter : "+parameter)
}

func invalidValue(parameter string) *oauthError {
	return badRequest("InvalidValue", "The request has an invalid parameter : "+parameter)
}

func invalidScope(scope string) *oauthError {
	return badRequest("invalid_scope", "Client does not have permission to use scope : "+scope)
}

func wrongMethod(w http.ResponseWriter, allowed, description string) *oauthError {
	w.Header().Set("Allow", allowed)
	return &oauthError{http.StatusMethodNotAllowed, "invalid_request", description}
}

func serverError(description string) *oauthError {
	return &oauthError{http.StatusInternalServerError, "servererror", description}
}

// errorOfFault returns the error that a fault names, with the text for the request.
func errorOfFault(code string, request tokenRequest) *oauthError {
	switch {
	case code == "invalid_grant" && request.Get("grant_type") == "refresh_token":
		return errInvalidRefreshToken
	case code == "InvalidValue":
		return invalidValue("client_id")
	case code == "invalid_scope":
		return invalidScope(request.Get("scope"))
	}
	for _, e := range []*oauthError{
		errMalformed, errInvalidCode, errInvalidClient, errUnauthorizedClient, errUnsupportedGrant,
		errAuthorizationPending, errSlowDown, errInvalidCodePair,
	} {
		if e.code == code {
			return e
		}
	}
	return serverError("The server encountered a runtime error")
}
