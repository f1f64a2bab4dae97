package proxy

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/tokens"
)

// A PlaceholderToken is what clients that ask for tokens themselves are given: tokens that
// are good for nothing but to be replaced by the real one by a [Credential]. They
// are no secrets; who can spend them can reach the proxy and needs none. The zero
// value is none.
type PlaceholderToken struct {
	Access  string
	Refresh string
}

// NewPlaceholderToken returns tokens of Amazon's form that nobody can have guessed: a header
// of the client's may repeat what others wrote, which must not become a token.
func NewPlaceholderToken() PlaceholderToken {
	return PlaceholderToken{Access: "Atza|local" + random(), Refresh: "Atzr|local" + random()}
}

func random() string {
	var bits [24]byte
	rand.Read(bits[:])
	return base64.RawURLEncoding.EncodeToString(bits[:])
}

// A TokenEndpoint answers the token requests (RFC 6749 section 3.2) of clients that have
// OAuth built in: whatever grant they ask for, and whatever credentials they send,
// they get a placeholder token, and the credentials go nowhere. Without a live token
// behind it the answer is the problem that a request would get, which makes such
// clients try again; an OAuth error would make them drop their login.
type TokenEndpoint struct {
	// Placeholder is given out; the route's credential must have it too.
	Placeholder PlaceholderToken
	// Source is asked whether there is a token for which the placeholder can stand.
	Source *tokens.Source
}

const (
	tokenRequestMax     = 64 << 10         // bytes of a token request
	tokenRequestTimeout = 10 * time.Second // for them
)

var errNoTokenRequest = errors.New("the body is not a token request")

// Answer implements [Answerer].
func (e *TokenEndpoint) Answer(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) error {
	if x.Recorder != nil {
		x.Recorder.WithoutBodies()
	}
	if err := readTokenRequest(w, r); err != nil {
		x.Note(func(f *exchange.Facts) { f.Fault = err })
		refuseTokenRequest(w)
		return nil
	}
	if _, err := e.Source.Token(r.Context()); err != nil {
		return err
	}
	writeToken(w, http.StatusOK, map[string]any{
		"access_token": e.Placeholder.Access, "token_type": "bearer", "expires_in": 3600, "refresh_token": e.Placeholder.Refresh,
	})
	return nil
}

// isTokenRequest reports whether requests with that method and path are for a token
// endpoint, such as tokenURL. It takes paths in any case: clients write /auth/O2/token, too.
func isTokenRequest(tokenURL, method, path string) bool {
	paths := []string{"/auth/o2/token", "/oauth2/token", "/oauth/token", "/token"}
	if own, err := url.Parse(tokenURL); err == nil && len(own.Path) > 1 {
		paths = append(paths, own.EscapedPath())
	}
	return method == http.MethodPost && slices.ContainsFunc(paths, func(known string) bool { return strings.EqualFold(known, path) })
}

// readTokenRequest wants to see a grant_type in a form, or in JSON as Amazon takes
// it too, and looks at nothing else.
func readTokenRequest(w http.ResponseWriter, r *http.Request) error {
	// Not every writer has deadlines; then the connection's own bounds hold.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(tokenRequestTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, tokenRequestMax))
	if err != nil { // the deadline stays: net/http would read on
		if r.ProtoMajor == 1 {
			w.Header().Set("Connection", "close") // or it would do so before it answers
		}
		return errNoTokenRequest
	}
	_ = control.SetReadDeadline(time.Time{}) // net/http reads on, to see the client hang up
	grantType := formGrantType
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) { // clients are careless about Content-Type
		grantType = jsonGrantType
	}
	if grantType(body) == "" {
		return errNoTokenRequest
	}
	return nil
}

func formGrantType(body []byte) string {
	form, err := url.ParseQuery(string(bytes.TrimSpace(body)))
	if err != nil {
		return ""
	}
	return form.Get("grant_type")
}

func jsonGrantType(body []byte) string {
	var asked struct {
		GrantType string `json:"grant_type"`
	}
	if json.Unmarshal(body, &asked) != nil {
		return ""
	}
	return asked.GrantType
}

// refuseTokenRequest answers as RFC 6749 section 5.2 wants it, in words that repeat nothing
// of the request.
func refuseTokenRequest(w http.ResponseWriter) {
	writeToken(w, http.StatusBadRequest, map[string]any{
		"error":             "invalid_request",
		"error_description": "avsproxy answers token requests here and wants a form or JSON with a grant_type, 64 KiB at most",
	})
}

// writeToken sends JSON that nothing on its way keeps (RFC 6749 section 5.1).
func writeToken(w http.ResponseWriter, status int, answer map[string]any) {
	text, _ := json.Marshal(answer) // strings and numbers cannot fail to encode
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	w.Write(append(text, '\n')) // a client that is gone is no error of ours
}
