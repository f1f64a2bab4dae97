package sandbox

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
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
		call.Grant, call.ClientID = shorten(request.Get("grant_type")), shorten(request.clientID)
	}
	if request.Get("grant_type") == deviceGrant {
		events = append(events, faults.Poll)
	}
	struck := l.faults.Strike(events...)
	answer := l.answerToken(w, request, refusal, struck)
	call.Status, call.Error, call.Fault = answer.status, answer.errorCode, struck.String()
	l.calls.add(call)
	// The end of the sandbox cuts the delay short, but not the end of the caller: the
	// grant is spent already.
	slow, _ := struck.Find("token-slow")
	pause(l.ctx, l.delay+slow.Duration())
	sendToken(w, r, answer, struck)
}

func (l *login) answerToken(w http.ResponseWriter, request tokenRequest, refusal *oauthError, struck faults.List) response {
	l.grants.mu.Lock()
	defer l.grants.mu.Unlock()
	if answer, replaced := l.faultResponse(struck, request, w); replaced {
		return answer
	}
	if refusal != nil {
		return refusal.response(w)
	}
	members, refusal := l.grant(request)
	return loginResponse(w, members, refusal)
}

// shorten limits what the list of calls holds of a request.
func shorten(s string) string { return s[:min(len(s), 128)] }

func (l *login) grant(request tokenRequest) (map[string]any, *oauthError) {
	switch request.Get("grant_type") {
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
func (l *login) exchange(request tokenRequest) (map[string]any, *oauthError) {
	if refusal := request.require("code", "redirect_uri"); refusal != nil {
		return nil, refusal
	}
	consent := l.grants.codes[request.Get("code")]
	delete(l.grants.codes, request.Get("code")) // even if the exchange fails
	public, refusal := request.authenticate()
	switch {
	case refusal != nil:
		return nil, refusal
	case !time.Now().Before(consent.expires) || consent.redirectURI != request.Get("redirect_uri"):
		return nil, errInvalidCode
	case public && consent.challenge == "":
		return nil, errInvalidClient
	case !consent.verify(request.Get("code_verifier")):
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
func (l *login) refresh(request tokenRequest) (map[string]any, *oauthError) {
	public, refusal := request.authenticate("refresh_token")
	if refusal != nil {
		return nil, refusal
	}
	token := request.Get("refresh_token")
	found := l.grants.refresh[token]
	switch {
	case found == nil:
		return nil, errInvalidRefreshToken
	case public && !found.public:
		return nil, errInvalidClient
	case found.public && !public:
		return nil, errUnauthorizedClient
	}
	struck := l.faults.Strike(faults.Renewal)
	_, rotate := struck.Find("rotate-refresh")
	_, detect := struck.Find("reuse-detection")
	if found.rotated {
		if detect {
			l.grants.revokeGrant(found.id)
		}
		return nil, errInvalidRefreshToken
	}
	if rotate || detect {
		token = l.grants.rotate(token)
	}
	return l.issue(found.grant, token), nil
}

// clientCredentials grants to the client itself (RFC 6749 section 4.4), without a
// refresh token.
func (l *login) clientCredentials(request tokenRequest) (map[string]any, *oauthError) {
	public, refusal := request.authenticate("scope")
	switch {
	case refusal != nil:
		return nil, refusal
	case public:
		return nil, errInvalidClient
	}
	for _, scope := range strings.Fields(request.Get("scope")) {
		if !isClientScope(scope) {
			return nil, invalidScope(scope)
		}
	}
	return l.issue(grant{id: newID(), scope: request.Get("scope")}, ""), nil
}

func (l *login) newGrant(scope, device string, public bool) map[string]any {
	made := grant{id: newID(), scope: scope, device: device, public: public}
	return l.issue(made, l.grants.add(made))
}

const (
	portalPage = "<!DOCTYPE html>\n<title>Welcome (avsproxy sandbox)</title>\n<h1>Sign in to use this network</h1>\n"
	errorPage  = "<!DOCTYPE html>\n<title>%[1]d %[2]s (avsproxy sandbox)</title>\n<h1>%[1]d %[2]s</h1>\n"
)

// faultResponse returns the answer that a fault sends instead of the real one, if
// there is such a fault.
func (l *login) faultResponse(struck faults.List, request tokenRequest, w http.ResponseWriter) (answer response, replaced bool) {
	for _, f := range struck {
		switch f.Name {
		case "token-cut", "token-lost", "token-slow": // they change how the real answer is sent
		case "token-html":
			return pageResponse(http.StatusOK, portalPage), true
		case "token-empty":
			return response{status: http.StatusOK, contentType: jsonType}, true
		case "token-500", "token-503":
			status, _ := strconv.Atoi(f.Name[len("token-"):])
			return pageResponse(status, fmt.Sprintf(errorPage, status, http.StatusText(status))), true
		case "token-429":
			answer := errThrottled.response(w)
			answer.retryAfter = f.Value
			return answer, true
		default:
			delete(l.grants.codes, request.Get("code")) // a failed exchange invalidates the code
			return errorOfFault(f.Name, request).response(w), true
		}
	}
	return response{}, false
}

// sendToken writes the answer, or the part of it that the faults allow.
func sendToken(w http.ResponseWriter, r *http.Request, answer response, struck faults.List) {
	if _, lost := struck.Find("token-lost"); lost {
		cutConnection(r.Context())
	}
	if _, cut := struck.Find("token-cut"); cut {
		answer.writeHead(w)
		w.Write(answer.body[:len(answer.body)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	answer.write(w)
}

// issue issues an access token and returns the answer with it. An empty refresh token
// is left out.
func (l *login) issue(under grant, refreshToken string) map[string]any {
	struck := l.faults.Strike(faults.TokenIssue)
	lifetime := l.tokenLife
	for _, f := range struck {
		switch {
		case f.Name != "expire-token":
		case f.Value == "":
			clear(l.grants.access)
		default:
			lifetime = f.Duration()
		}
	}
	members := map[string]any{
		"access_token": l.grants.issue(under, lifetime),
		"token_type":   "bearer",
		"expires_in":   lifetimeSeconds(lifetime),
	}
	if _, omit := struck.Find("omit-refresh"); refreshToken != "" && !omit {
		members["refresh_token"] = refreshToken
	}
	if f, ok := struck.Find("expires-in"); ok {
		falsifyExpiresIn(members, f)
	}
	return members
}

func falsifyExpiresIn(members map[string]any, f faults.Fault) {
	switch f.Value {
	case "string":
		members["expires_in"] = fmt.Sprint(members["expires_in"])
	case "absent":
		delete(members, "expires_in")
	case "negative":
		members["expires_in"] = -3600
	case "huge":
		members["expires_in"] = int64(99_999_999_999) // more than a time.Duration can hold
	default:
		members["expires_in"] = f.Number()
	}
}
