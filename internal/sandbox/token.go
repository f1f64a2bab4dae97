package sandbox

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"time"
)

// token is the token endpoint (RFC 6749 section 3.2, with LWA's own errors).
func (l *login) token(w http.ResponseWriter, r *http.Request) {
	call := TokenCall{Time: time.Now(), Status: http.StatusOK}
	request, refused := readTokenRequest(w, r)
	var answer map[string]any
	if refused == nil {
		call.Grant, call.ClientID = short(request.get("grant_type")), short(request.clientID)
		answer, refused = l.grant(request)
	}
	if refused != nil {
		call.Status, call.Error = refused.status, refused.code
	}
	l.calls.add(call)
	l.think()
	if refused != nil {
		refused.write(w)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// short keeps what is remembered of a call small, whatever was sent.
func short(s string) string { return s[:min(len(s), 128)] }

// think waits for the delay that was asked for. Only the sandbox's end cuts it
// short, not the caller's: the grant is spent by now.
func (l *login) think() {
	if l.delay == 0 {
		return
	}
	select {
	case <-time.After(l.delay):
	case <-l.running.Done():
	}
}

func (l *login) grant(request *tokenRequest) (map[string]any, *refusal) {
	switch request.get("grant_type") {
	case "":
		return nil, missing("grant_type")
	case "authorization_code":
		return l.exchange(request)
	case "refresh_token":
		return l.renew(request)
	default:
		return nil, unsupportedGrant()
	}
}

// exchange turns a code into tokens (RFC 6749 section 4.1.3).
func (l *login) exchange(request *tokenRequest) (map[string]any, *refusal) {
	if name := request.lacks("code", "redirect_uri"); name != "" {
		return nil, missing(name)
	}
	consent, known := l.grants.spend(request.get("code"))
	public, refused := request.authenticate()
	if refused != nil {
		return nil, refused
	}
	if !known || consent.redirectURI != request.get("redirect_uri") {
		return nil, invalidGrant("code")
	}
	if public && consent.challenge == "" {
		return nil, invalidClient()
	}
	if !verifies(consent, request.get("code_verifier")) {
		return nil, unauthorizedClient()
	}
	made := grant{scope: consent.scope, public: public}
	return l.answer(made, l.grants.begin(made)), nil
}

// renew returns a new access token and the same refresh token, as LWA does.
func (l *login) renew(request *tokenRequest) (map[string]any, *refusal) {
	if name := request.lacks("refresh_token"); name != "" {
		return nil, missing(name)
	}
	public, refused := request.authenticate()
	if refused != nil {
		return nil, refused
	}
	refreshToken := request.get("refresh_token")
	found, known := l.grants.find(refreshToken)
	if !known {
		return nil, invalidGrant("refresh_token. User may have revoked or didn't grant the permission.")
	}
	if public && !found.public {
		return nil, invalidClient()
	}
	return l.answer(found, refreshToken), nil
}

func (l *login) answer(under grant, refreshToken string) map[string]any {
	return map[string]any{
		"access_token":  l.grants.issue(under),
		"refresh_token": refreshToken,
		"token_type":    "bearer",
		"expires_in":    l.grants.expiresIn(),
	}
}

// verifies checks PKCE (RFC 7636 section 4.6). A verifier for a consent without
// a challenge does not fit either: it shows that the challenge got lost.
func verifies(c consent, verifier string) bool {
	derived := verifier
	if c.method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		derived = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return subtle.ConstantTimeCompare([]byte(derived), []byte(c.challenge)) == 1
}

func missing(parameter string) *refusal {
	return &refusal{http.StatusBadRequest, "invalid_request", "The request is missing a required parameter : " + parameter}
}

func invalidGrant(parameter string) *refusal {
	return &refusal{http.StatusBadRequest, "invalid_grant", "The request has an invalid grant parameter : " + parameter}
}

func invalidClient() *refusal {
	return &refusal{http.StatusUnauthorized, "invalid_client", "Client authentication failed"}
}

func unauthorizedClient() *refusal {
	return &refusal{http.StatusBadRequest, "unauthorized_client", "Not authorized for requested operation"}
}

func unsupportedGrant() *refusal {
	return &refusal{http.StatusBadRequest, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server"}
}
