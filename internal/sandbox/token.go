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
	request, refused := readTokenRequest(w, r)
	if refused == nil {
		call.Grant, call.ClientID = short(request.get("grant_type")), short(request.clientID)
	}
	struck := l.faults.Strike(tokenEvents(request)...)
	reply, stands := l.standIn(struck, request, w)
	if !stands {
		reply = l.reply(request, refused, w)
	}
	call.Status, call.Error, call.Fault = reply.status, reply.code, struck.String()
	l.calls.add(call)
	slow, _ := struck.Find("token-slow")
	l.think(l.delay + slow.Duration())
	reply.send(w, r, struck)
}

func tokenEvents(request *tokenRequest) []faults.Event {
	if request.get("grant_type") == deviceGrant {
		return []faults.Event{faults.TokenCall, faults.Poll}
	}
	return []faults.Event{faults.TokenCall}
}

// short keeps what is remembered of a call small, whatever was sent.
func short(s string) string { return s[:min(len(s), 128)] }

// think waits. Only the sandbox's end cuts it short, not the caller's: the grant
// is spent by now.
func (l *login) think(delay time.Duration) {
	if delay > 0 {
		pause(l.running, delay)
	}
}

func (l *login) reply(request *tokenRequest, refused *refusal, w http.ResponseWriter) tokenReply {
	var answer map[string]any
	if refused == nil {
		answer, refused = l.grant(request)
	}
	if refused != nil {
		return refusalReply(refused, w)
	}
	return jsonReply(http.StatusOK, answer)
}

func (l *login) grant(request *tokenRequest) (map[string]any, *refusal) {
	switch request.get("grant_type") {
	case "":
		return nil, missing("grant_type")
	case "authorization_code":
		return l.exchange(request)
	case "refresh_token":
		return l.renew(request)
	case "client_credentials":
		return l.credentials(request)
	case deviceGrant:
		return l.poll(request)
	default:
		return nil, unsupportedGrant()
	}
}

// exchange turns a code into tokens (RFC 6749 section 4.1.3).
func (l *login) exchange(request *tokenRequest) (map[string]any, *refusal) {
	if name := request.lacks("code", "redirect_uri"); name != "" {
		return nil, missing(name)
	}
	consent, known := l.codes.spend(request.get("code"))
	public, refused := request.authenticate()
	if refused != nil {
		return nil, refused
	}
	if !known || consent.redirectURI != request.get("redirect_uri") {
		return nil, invalidCode()
	}
	if public && consent.challenge == "" {
		return nil, invalidClient()
	}
	if !verifies(consent, request.get("code_verifier")) {
		return nil, unauthorizedClient()
	}
	return l.begin(grant{scope: consent.scope, device: consent.device, public: public}), nil
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

// renew returns a new access token and, without a fault, the same refresh token,
// as LWA does. A grant that was made without the secret is not renewed with it,
// nor the other way round.
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
	switch {
	case !known:
		return nil, invalidRefresh()
	case public && !found.public:
		return nil, invalidClient()
	case found.public && !public:
		return nil, unauthorizedClient()
	}
	next, ok := l.successor(refreshToken, found)
	if !ok {
		return nil, invalidRefresh()
	}
	return l.answer(found.grant, next), nil
}

// successor returns the refresh token to answer with, if the one that came in is
// good.
func (l *login) successor(refreshToken string, found renewer) (next string, ok bool) {
	struck := l.faults.Strike(faults.Renewal)
	_, rotates := struck.Find("rotate-refresh")
	_, detects := struck.Find("reuse-detection")
	next, ok = refreshToken, !found.spent
	if ok && (rotates || detects) {
		next, ok = l.grants.rotate(refreshToken)
	}
	if !ok && detects {
		l.grants.endFamily(found.family)
	}
	return next, ok
}

// credentials grants to a client in its own name (RFC 6749 section 4.4), without
// a refresh token.
func (l *login) credentials(request *tokenRequest) (map[string]any, *refusal) {
	if name := request.lacks("scope"); name != "" {
		return nil, missing(name)
	}
	public, refused := request.authenticate()
	if refused != nil {
		return nil, refused
	}
	if public {
		return nil, invalidClient()
	}
	for _, scope := range strings.Fields(request.get("scope")) {
		if !grantless(scope) {
			return nil, invalidScope(scope)
		}
	}
	return l.answer(grant{family: newID(), scope: request.get("scope")}, ""), nil
}

// begin enters a new grant and returns its first tokens.
func (l *login) begin(made grant) map[string]any {
	made.family = newID()
	return l.answer(made, l.grants.begin(made))
}
