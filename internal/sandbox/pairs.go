package sandbox

import (
	"maps"
	"net/http"
	"sync"
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

// pairs holds the code pairs that were not yet redeemed, by user code.
type pairs struct {
	lifetime, interval time.Duration

	mu   sync.Mutex
	open map[string]*pair
}

// issue completes a new pair.
func (p *pairs) issue(made pair) pair {
	now := time.Now()
	made.expires = now.Add(p.lifetime)
	made.deviceCode = "sandbox-" + newID()
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.open, func(_ string, old *pair) bool { return now.After(old.expires) })
	for made.userCode == "" || p.open[made.userCode] != nil {
		made.userCode = randomText(userCodeLetters, 6)
	}
	p.open[made.userCode] = &made
	return made
}

func (p *pairs) find(userCode string) (pair, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.valid(userCode); found != nil {
		return *found, true
	}
	return pair{}, false
}

// decide records the user's decision, and reports whether the pair was still valid.
func (p *pairs) decide(userCode string, allowed bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.valid(userCode)
	if found != nil {
		found.decided, found.allowed = true, allowed
	}
	return found != nil
}

// redeem removes a pair if the user has allowed it. It accepts polls that come a tenth
// of the interval too early, because networks and timers vary.
func (p *pairs) redeem(deviceCode, userCode string) (pair, *oauthError) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.valid(userCode)
	if found == nil || found.deviceCode != deviceCode {
		return pair{}, errInvalidCodePair
	}
	tooEarly := now.Sub(found.polled) < p.interval*9/10
	found.polled = now
	switch {
	case tooEarly:
		return pair{}, errSlowDown
	case !found.decided:
		return pair{}, errAuthorizationPending
	case !found.allowed:
		return pair{}, errAccessDenied
	}
	delete(p.open, userCode)
	return *found, nil
}

func (p *pairs) valid(userCode string) *pair {
	found := p.open[userCode]
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
	made := pair{scope: request.get("scope"), scopeData: request.get("scope_data")}
	if !l.askConsent {
		made.decided, made.allowed = true, len(l.faults.Strike(faults.Consent)) == 0
	}
	made = l.pairs.issue(made)
	return map[string]any{
		"user_code":        made.userCode,
		"device_code":      made.deviceCode,
		"verification_uri": verificationURI(r),
		"expires_in":       lifetimeSeconds(l.pairs.lifetime),
		"interval":         intervalSeconds(l.pairs.interval),
	}, nil
}

func checkPairRequest(request *tokenRequest) *oauthError {
	public, refusal := request.authenticate("response_type", "scope")
	unknown := unknownScope(request.get("scope"))
	switch {
	case refusal != nil:
		return refusal
	case !public: // code-based linking is for clients without a secret
		return errUnauthorizedClient
	case request.get("response_type") != deviceGrant:
		return invalid("response_type")
	case unknown != "":
		return invalidScope(unknown)
	case !hasScopeData(request.get("scope"), request.get("scope_data")):
		return invalidValue("scope_data")
	}
	return nil
}

// poll answers a device that waits for its user. It needs no client_id, and must not
// have a secret.
func (l *login) poll(request *tokenRequest) (map[string]any, *oauthError) {
	switch refusal := request.require("device_code", "user_code"); {
	case refusal != nil:
		return nil, refusal
	case request.clientID != "" && request.clientID != ClientID:
		return nil, invalidValue("client_id")
	case request.clientSecret != "":
		return nil, errUnauthorizedClient
	}
	found, refusal := l.pairs.redeem(request.get("device_code"), request.get("user_code"))
	if refusal != nil {
		return nil, refusal
	}
	return l.newGrant(found.scope, deviceID(found.scopeData), true), nil
}
