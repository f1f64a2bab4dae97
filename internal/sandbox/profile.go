package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

const userID = "amzn1.account.SANDBOX"

// tokenInfo says whom an access token was given to.
func (l *login) tokenInfo(w http.ResponseWriter, r *http.Request) {
	found, refused := l.shown(w, r, r.URL.Query().Get("access_token"))
	if refused != nil {
		refused.write(w)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"aud":     ClientID,
		"app_id":  "amzn1.application.sandbox",
		"user_id": userID,
		"iss":     "https://www.amazon.com",
		"exp":     int(time.Until(found.expires) / time.Second),
		"iat":     found.given.Unix(),
	})
}

// profile tells who the user is, as far as the token's scope allows.
func (l *login) profile(w http.ResponseWriter, r *http.Request) {
	found, refused := l.shown(w, r, presented(r))
	if refused != nil {
		refused.write(w)
		return
	}
	scopes := strings.Fields(found.grant.scope)
	members := map[string]any{}
	if slices.Contains(scopes, "profile") {
		members["name"], members["email"] = "Sandbox User", "user@sandbox.invalid"
	}
	if slices.Contains(scopes, "postal_code") {
		members["postal_code"] = "98109"
	}
	if len(members) == 0 && !slices.Contains(scopes, "profile:user_id") {
		refusal{http.StatusUnauthorized, "insufficient_scope", "The access token provided does not have access to the required scope"}.write(w)
		return
	}
	members["user_id"] = userID
	writeJSON(w, http.StatusOK, members)
}

// presented finds the access token in the three places where a profile request
// may have it.
func presented(r *http.Request) string {
	if token := r.URL.Query().Get("access_token"); token != "" {
		return token
	}
	if token := r.Header.Get("x-amz-access-token"); token != "" {
		return token
	}
	return bearer(r.Header)
}

// shown judges a GET that shows an access token.
func (l *login) shown(w http.ResponseWriter, r *http.Request, accessToken string) (access, *refusal) {
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		return access{}, &refusal{http.StatusMethodNotAllowed, "invalid_request", "This page takes GET only"}
	case accessToken == "":
		return access{}, missing("access_token")
	}
	found, ok := l.grants.lookup(accessToken)
	if !ok {
		return access{}, &refusal{http.StatusBadRequest, "invalid_token", "The request has an invalid parameter : access_token"}
	}
	return found, nil
}

// revoke ends a token (RFC 7009). No page of Amazon's describes it, so it is a
// guess that many clients share; a token that is not known is no error.
func (l *login) revoke(w http.ResponseWriter, r *http.Request) {
	request, refused := readTokenRequest(w, r)
	if refused == nil && request.get("token") == "" {
		refused = missing("token")
	}
	if refused == nil {
		_, refused = request.authenticate()
	}
	if refused != nil {
		refused.write(w)
		return
	}
	l.grants.end(request.get("token"))
	writeJSON(w, http.StatusOK, map[string]any{})
}
