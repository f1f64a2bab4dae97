package sandbox

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"avsproxy/internal/sandbox/faults"
)

// token is the token endpoint (RFC 6749 section 3.2, with LWA's own errors).
func (l *login) token(w http.ResponseWriter, r *http.Request) {
	call := TokenCall{Time: time.Now()}
	request, refusal := readTokenRequest(w, r)
	events := []faults.Event{faults.TokenCall}
	if refusal == nil {
		call.Grant, call.ClientID = shorten(request.get("grant_type")), shorten(request.clientID)
	}
	if request.get("grant_type") == deviceGrant {
		events = append(events, faults.Poll)
	}
	struck := l.faults.Strike(events...)
	answer, replaced := l.faultResponse(struck, request, w)
	if !replaced {
		var members map[string]any
		if refusal == nil {
			members, refusal = l.grant(request)
		}
		answer = loginResponse(w, members, refusal)
	}
	call.Status, call.Error, call.Fault = answer.status, answer.errorCode, struck.String()
	l.calls.add(call)
	// The end of the sandbox cuts the delay short, but not the end of the caller: the
	// grant is spent already.
	slow, _ := struck.Find("token-slow")
	pause(l.ctx, l.delay+slow.Duration())
	sendToken(w, r, answer, struck)
}

// shorten limits what the list of calls holds of a request.
func shorten(s string) string { return s[:min(len(s), 128)] }

func (l *login) grant(request *tokenRequest) (map[string]any, *oauthError) {
	switch request.get("grant_type") {
	case "":
		return nil, missing("grant_type")
	case "authorization_code":
		return l.exchange(request)
	case "refresh_token":
		return l.refresh(request)
	case "client_credentials":
		return l.clientCredentials(request)
	case deviceGrant:
		return l.poll(request)
	default:
		return nil, errUnsupportedGrant
	}
}

// exchange exchanges a code for tokens (RFC 6749 section 4.1.3).
func (l *login) exchange(request *tokenRequest) (map[string]any, *oauthError) {
	if refusal := request.require("code", "redirect_uri"); refusal != nil {
		return nil, refusal
	}
	consent, known := l.codes.redeem(request.get("code"))
	public, refusal := request.authenticate()
	switch {
	case refusal != nil:
		return nil, refusal
	case !known || consent.redirectURI != request.get("redirect_uri"):
		return nil, errInvalidCode
	case public && consent.challenge == "":
		return nil, errInvalidClient
	case !consent.verify(request.get("code_verifier")):
		return nil, errUnauthorizedClient
	}
	return l.newGrant(consent.scope, consent.device, public), nil
}

// verify checks PKCE (RFC 7636 section 4.6). It refuses a verifier if there was no
// challenge: then the challenge got lost.
func (c consent) verify(verifier string) bool {
	derived := verifier
	if c.method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		derived = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return subtle.ConstantTimeCompare([]byte(derived), []byte(c.challenge)) == 1
}

// refresh returns a new access token and, without a fault, the same refresh token, as
// LWA does. A client that got the grant without a secret must refresh it without a
// secret, and the other way round.
func (l *login) refresh(request *tokenRequest) (map[string]any, *oauthError) {
	public, refusal := request.authenticate("refresh_token")
	if refusal != nil {
		return nil, refusal
	}
	token := request.get("refresh_token")
	found, known := l.grants.find(token)
	switch {
	case !known:
		return nil, errInvalidRefreshToken
	case public && !found.public:
		return nil, errInvalidClient
	case found.public && !public:
		return nil, errUnauthorizedClient
	}
	next, ok := l.nextRefreshToken(token, found)
	if !ok {
		return nil, errInvalidRefreshToken
	}
	return l.issue(found.grant, next), nil
}

// nextRefreshToken returns the refresh token to answer with, if the given one is
// valid.
func (l *login) nextRefreshToken(token string, found refreshToken) (next string, ok bool) {
	struck := l.faults.Strike(faults.Renewal)
	_, rotate := struck.Find("rotate-refresh")
	_, detect := struck.Find("reuse-detection")
	next, ok = token, !found.rotated
	if ok && (rotate || detect) {
		next, ok = l.grants.rotate(token)
	}
	if !ok && detect {
		l.grants.revokeGrant(found.id)
	}
	return next, ok
}

// clientCredentials grants to the client itself (RFC 6749 section 4.4), without a
// refresh token.
func (l *login) clientCredentials(request *tokenRequest) (map[string]any, *oauthError) {
	public, refusal := request.authenticate("scope")
	switch {
	case refusal != nil:
		return nil, refusal
	case public:
		return nil, errInvalidClient
	}
	for _, scope := range strings.Fields(request.get("scope")) {
		if !isClientScope(scope) {
			return nil, invalidScope(scope)
		}
	}
	return l.issue(grant{id: newID(), scope: request.get("scope")}, ""), nil
}

func (l *login) newGrant(scope, device string, public bool) map[string]any {
	made := grant{id: newID(), scope: scope, device: device, public: public}
	return l.issue(made, l.grants.add(made))
}
