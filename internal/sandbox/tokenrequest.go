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
