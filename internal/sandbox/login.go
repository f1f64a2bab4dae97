package sandbox

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// A TokenCall is one call of the token endpoint. It holds no secret.
type TokenCall struct {
	Time     time.Time
	Grant    string // grant_type as sent
	ClientID string
	Status   int
	Error    string // the error code, empty for a success
}

// login is Login with Amazon.
type login struct {
	running context.Context
	grants  *grants
	delay   time.Duration
	calls   recent[TokenCall]
}

func newLogin(running context.Context, g *grants, delay time.Duration) *login {
	return &login{running: running, grants: g, delay: delay}
}

// ServeHTTP answers whatever the case of the path: AVS clients ask for
// /auth/O2/token, others for /auth/o2/token.
func (l *login) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mark(w)
	switch strings.ToLower(r.URL.Path) {
	case "/ap/oa":
		l.authorize(w, r)
	case "/auth/o2/token":
		l.token(w, r)
	case "/auth/o2/tokeninfo":
		l.tokenInfo(w, r)
	default:
		refusal{http.StatusNotFound, "invalid_request", "The sandbox has no such page"}.write(w)
	}
}

// A refusal is an error of LWA: HTTP status, error, error_description.
type refusal struct {
	status      int
	code        string
	description string
}

func (f refusal) write(w http.ResponseWriter) {
	writeJSON(w, f.status, map[string]string{
		"error":             f.code,
		"error_description": f.description,
		"request_id":        w.Header().Get("x-amzn-RequestId"),
	})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// tokenInfo says whom an access token was given to.
func (l *login) tokenInfo(w http.ResponseWriter, r *http.Request) {
	found, ok := l.grants.lookup(r.URL.Query().Get("access_token"))
	if !ok {
		refusal{http.StatusBadRequest, "invalid_token", "The request has an invalid parameter : access_token"}.write(w)
		return
	}
	left := time.Until(found.expires)
	writeJSON(w, http.StatusOK, map[string]any{
		"aud":     ClientID,
		"app_id":  "amzn1.application.sandbox",
		"user_id": "amzn1.account.SANDBOX",
		"iss":     "https://www.amazon.com",
		"exp":     int(left / time.Second),
		"iat":     found.expires.Add(-l.grants.life).Unix(),
	})
}
