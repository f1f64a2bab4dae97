package sandbox

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

const userID = "amzn1.account.SANDBOX"

func (l *login) tokenInfo(w http.ResponseWriter, r *http.Request) (map[string]any, *oauthError) {
	found, refusal := l.checkAccessToken(w, r, r.URL.Query().Get("access_token"))
	if refusal != nil {
		return nil, refusal
	}
	return map[string]any{
		"aud":     ClientID,
		"app_id":  "amzn1.application.sandbox",
		"user_id": userID,
		"iss":     "https://www.amazon.com",
		"exp":     int(time.Until(found.expires) / time.Second),
		"iat":     found.issued.Unix(),
	}, nil
}

// profile describes the user as far as the token's scope allows. It finds the token in
// the three places where a client may put it.
func (l *login) profile(w http.ResponseWriter, r *http.Request) (map[string]any, *oauthError) {
	token := cmp.Or(r.URL.Query().Get("access_token"), r.Header.Get("x-amz-access-token"), bearer(r.Header))
	found, refusal := l.checkAccessToken(w, r, token)
	if refusal != nil {
		return nil, refusal
	}
	scopes := strings.Fields(found.scope)
	members := map[string]any{}
	if slices.Contains(scopes, "profile") {
		members["name"], members["email"] = "Sandbox User", "user@sandbox.invalid"
	}
	if slices.Contains(scopes, "postal_code") {
		members["postal_code"] = "98109"
	}
	if len(members) == 0 && !slices.Contains(scopes, "profile:user_id") {
		return nil, &oauthError{http.StatusUnauthorized, "insufficient_scope", "The access token provided does not have access to the required scope"}
	}
	members["user_id"] = userID
	return members, nil
}

func (l *login) checkAccessToken(w http.ResponseWriter, r *http.Request, token string) (accessToken, *oauthError) {
	switch {
	case r.Method != http.MethodGet:
		return accessToken{}, wrongMethod(w, http.MethodGet, "This page takes GET only")
	case token == "":
		return accessToken{}, missing("access_token")
	}
	found, ok := l.grants.lookup(token)
	if !ok {
		return accessToken{}, badRequest("invalid_token", "The request has an invalid parameter : access_token")
	}
	return found, nil
}

// revoke revokes a token (RFC 7009); an unknown token is not an error. Amazon
// documents no such endpoint, but many clients expect it here.
func (l *login) revoke(w http.ResponseWriter, r *http.Request) (map[string]any, *oauthError) {
	request, refusal := readTokenRequest(w, r)
	if refusal != nil {
		return nil, refusal
	}
	if _, refusal = request.authenticate("token"); refusal != nil {
		return nil, refusal
	}
	l.grants.revoke(request.get("token"))
	return map[string]any{}, nil
}
