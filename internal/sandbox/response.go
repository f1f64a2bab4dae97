package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

const jsonType = "application/json;charset=UTF-8"

// A response is a complete answer of LWA or of the control API.
type response struct {
	status      int
	errorCode   string // of an oauthError
	contentType string
	retryAfter  string
	body        []byte
}

// jsonResponse panics if the value has no JSON.
func jsonResponse(status int, value any) response {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return response{status: status, contentType: jsonType, body: append(body, '\n')}
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
