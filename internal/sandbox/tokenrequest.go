package sandbox

import (
	"crypto/subtle"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
)

const maxTokenRequest = 64 << 10

// A tokenRequest is a request to the token endpoint or a similar one, from a form or
// from JSON.
type tokenRequest struct {
	fields       url.Values
	clientID     string
	clientSecret string
}

// get returns a field. A request that could not be read is nil and has none.
func (q *tokenRequest) get(name string) string {
	if q == nil {
		return ""
	}
	return q.fields.Get(name)
}

// require returns an error if the request lacks one of the fields.
func (q *tokenRequest) require(names ...string) *oauthError {
	for _, name := range names {
		if q.get(name) == "" {
			return missing(name)
		}
	}
	return nil
}

// authenticate checks the required fields and the client. public means that the client
// sent no secret.
func (q *tokenRequest) authenticate(required ...string) (public bool, refusal *oauthError) {
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

func readTokenRequest(w http.ResponseWriter, r *http.Request) (*tokenRequest, *oauthError) {
	if r.Method != http.MethodPost {
		return nil, wrongMethod(w, http.MethodPost, "This endpoint takes POST only")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTokenRequest))
	if err != nil {
		return nil, errMalformed
	}
	fields, refusal := parseFields(r.Header.Get("Content-Type"), body)
	if refusal != nil {
		return nil, refusal
	}
	for name, values := range fields {
		if len(values) > 1 {
			return nil, badRequest("invalid_request", "The request includes a duplicate parameter : "+name)
		}
	}
	q := &tokenRequest{fields: fields, clientID: fields.Get("client_id"), clientSecret: fields.Get("client_secret")}
	q.readBasic(r)
	return q, nil
}

// readBasic takes the client from an HTTP Basic header, whose parts are form-encoded
// (RFC 6749 section 2.3.1).
func (q *tokenRequest) readBasic(r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		return
	}
	q.clientID, _ = url.QueryUnescape(id)
	q.clientSecret, _ = url.QueryUnescape(secret)
}

// parseFields parses a form or JSON; LWA accepts both.
func parseFields(contentType string, body []byte) (url.Values, *oauthError) {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch kind {
	case "application/json":
		return parseJSON(body)
	case "multipart/form-data": // LWA ignores its fields, and so finds no known grant type
		return nil, errUnsupportedGrant
	}
	fields, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errMalformed
	}
	return fields, nil
}

func parseJSON(body []byte) (url.Values, *oauthError) {
	var members map[string]string
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, errMalformed
	}
	fields := url.Values{}
	for name, value := range members {
		fields.Set(name, value)
	}
	return fields, nil
}
