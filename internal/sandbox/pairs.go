package sandbox

import (
	"maps"
	"net/http"
	"time"

	"avsproxy/internal/sandbox/faults"
)

// deviceGrant is LWA's name of the grant. LWA refuses the name of RFC 8628.
const deviceGrant = "device_code"

// userCodeLetters leaves out the ones that people confuse with others.
const userCodeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// A pair is a device code, and the user code that the user types for it.
type pair struct {
	userCode, deviceCode string
	scope, scopeData     string
	expires              time.Time
	polled               time.Time // last
	decided, allowed     bool
}

// pair returns the pair of a user code if it is still valid, or nil.
func (g *grants) pair(userCode string) *pair {
	found := g.pairs[userCode]
	if found == nil || !time.Now().Before(found.expires) {
		return nil
	}
	return found
}

// createPair is the endpoint that starts code-based linking, LWA's device flow.
func (l *login) createPair(w http.ResponseWriter, r *http.Request) (map[string]any, *oauthError) {
	request, refusal := readTokenRequest(w, r)
	if f := l.faults.Strike(faults.PairCall); len(f) > 0 {
		refusal = errorOfFault(f[0].Value, request)
	}
	if refusal == nil {
		refusal = checkPairRequest(request)
	}
	if refusal != nil {
		return nil, refusal
	}
	now := time.Now()
	made := pair{
		deviceCode: "sandbox-" + newID(),
		scope:      request.Get("scope"),
		scopeData:  request.Get("scope_data"),
		expires:    now.Add(l.pairLife),
	}
	if !l.askConsent {
		made.decided, made.allowed = true, len(l.faults.Strike(faults.Consent)) == 0
	}
	g := l.grants
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.pairs, func(_ string, old *pair) bool { return now.After(old.expires) })
	for made.userCode == "" || g.pairs[made.userCode] != nil {
		made.userCode = randomText(userCodeLetters, 6)
	}
	g.pairs[made.userCode] = &made
	return map[string]any{
		"user_code":        made.userCode,
		"device_code":      made.deviceCode,
		"verification_uri": verificationURI(r),
		"expires_in":       lifetimeSeconds(l.pairLife),
		"interval":         intervalSeconds(l.pollInterval),
	}, nil
}

func checkPairRequest(request tokenRequest) *oauthError {
	public, refusal := request.authenticate("response_type", "scope")
	unknown := unknownScope(request.Get("scope"))
	switch {
	case refusal != nil:
		return refusal
	case !public: // code-based linking is for clients without a secret
		return errUnauthorizedClient
	case request.Get("response_type") != deviceGrant:
		return invalid("response_type")
	case unknown != "":
		return invalidScope(unknown)
	case !hasScopeData(request.Get("scope"), request.Get("scope_data")):
		return invalidValue("scope_data")
	}
	return nil
}

// poll answers a device that waits for its user. It needs no client_id, and must not
// have a secret. It accepts polls that come a tenth of the interval too early, because
// networks and timers vary.
func (l *login) poll(request tokenRequest) (map[string]any, *oauthError) {
	switch refusal := request.require("device_code", "user_code"); {
	case refusal != nil:
		return nil, refusal
	case request.clientID != "" && request.clientID != ClientID:
		return nil, invalidValue("client_id")
	case request.clientSecret != "":
		return nil, errUnauthorizedClient
	}
	found := l.grants.pair(request.Get("user_code"))
	if found == nil || found.deviceCode != request.Get("device_code") {
		return nil, errInvalidCodePair
	}
	now := time.Now()
	tooEarly := now.Sub(found.polled) < l.pollInterval*9/10
	found.polled = now
	switch {
	case tooEarly:
		return nil, errSlowDown
	case !found.decided:
		return nil, errAuthorizationPending
	case !found.allowed:
		return nil, errAccessDenied
	}
	delete(l.grants.pairs, found.userCode)
	return l.newGrant(found.scope, deviceID(found.scopeData), true), nil
}
