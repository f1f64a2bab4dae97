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

// A tokenRequest is what came to the token endpoint or to one of its kind,
// whatever its form.
type tokenRequest struct {
	fields       url.Values
	clientID     string
	clientSecret string
}

// get returns a field, "" of a request that could not be read.
func (q *tokenRequest) get(name string) string {
	if q == nil {
		return ""
	}
	return q.fields.Get(name)
}

// lacks returns the first of names that the request does not have.
func (q *tokenRequest) lacks(names ...string) string {
	for _, name := range names {
		if q.get(name) == "" {
			return name
		}
	}
	return ""
}

// authenticate checks the client. public means that it showed no secret.
func (q *tokenRequest) authenticate() (public bool, refused *refusal) {
	switch {
	case q.clientID == "":
		return false, missing("client_id")
	case q.clientID != ClientID:
		return false, invalidValue("client_id")
	case q.clientSecret == "":
		return true, nil
	case subtle.ConstantTimeCompare([]byte(q.clientSecret), []byte(ClientSecret)) != 1:
		return false, invalidClient()
	}
	return false, nil
}

func readTokenRequest(w http.ResponseWriter, r *http.Request) (*tokenRequest, *refusal) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &refusal{http.StatusMethodNotAllowed, "invalid_request", "This endpoint takes POST only"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTokenRequest))
	if err != nil {
		return nil, unreadable()
	}
	fields, refused := parseFields(r.Header.Get("Content-Type"), body)
	if refused != nil {
		return nil, refused
	}
	for name, values := range fields {
		if len(values) > 1 {
			return nil, &refusal{http.StatusBadRequest, "invalid_request", "The request includes a duplicate parameter : " + name}
		}
	}
	q := &tokenRequest{fields: fields, clientID: fields.Get("client_id"), clientSecret: fields.Get("client_secret")}
	q.readBasic(r)
	return q, nil
}

// readBasic takes the client from an HTTP Basic header, which is form-encoded
// inside (RFC 6749 section 2.3.1).
func (q *tokenRequest) readBasic(r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		return
	}
	q.clientID, _ = url.QueryUnescape(id)
	q.clientSecret, _ = url.QueryUnescape(secret)
}

// parseFields reads a form or JSON, both of which LWA takes.
func parseFields(contentType string, body []byte) (url.Values, *refusal) {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch kind {
	case "application/json":
		return parseJSON(body)
	case "multipart/form-data": // LWA does not see the fields, and says so in its own way
		return nil, unsupportedGrant()
	}
	fields, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, unreadable()
	}
	return fields, nil
}

func parseJSON(body []byte) (url.Values, *refusal) {
	var members map[string]string
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, unreadable()
	}
	fields := url.Values{}
	for name, value := range members {
		fields.Set(name, value)
	}
	return fields, nil
}
