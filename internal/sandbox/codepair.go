package sandbox

import (
	"net/http"
	"sync"
	"time"

	"avsproxy/internal/sandbox/faults"
)

// deviceGrant is LWA's name of the grant; RFC 8628's is refused.
const deviceGrant = "device_code"

// userCodeLetters leaves out those that people mistake for others.
const userCodeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// A pair is a device code and the user code that the user types for it.
type pair struct {
	userCode, deviceCode string
	scope, scopeData     string
	expires              time.Time
	polled               time.Time // last
	decided, allowed     bool
}

// pairs holds the code pairs that were not yet exchanged, by user code.
type pairs struct {
	lives lifetimes

	mu   sync.Mutex
	open map[string]*pair
}

// give makes a new pair of what is filled in.
func (p *pairs) give(made pair) pair {
	now := time.Now()
	made.expires = now.Add(p.lives.pair)
	made.deviceCode = "sandbox-" + newID()
	p.mu.Lock()
	defer p.mu.Unlock()
	for code, old := range p.open {
		if now.After(old.expires) {
			delete(p.open, code)
		}
	}
	for made.userCode == "" || p.open[made.userCode] != nil {
		made.userCode = randomText(userCodeLetters, 6)
	}
	p.open[made.userCode] = &made
	return made
}

// find returns a copy of the pair of a user code.
func (p *pairs) find(userCode string) (pair, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.live(userCode); found != nil {
		return *found, true
	}
	return pair{}, false
}

// decide sets what the user chose, and reports whether there still was a choice.
func (p *pairs) decide(userCode string, allowed bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.live(userCode)
	if found != nil {
		found.decided, found.allowed = true, allowed
	}
	return found != nil
}

// redeem takes a pair away if the user has allowed it. Pollers in a hurry are
// told so, with a tenth of the interval for the ways of networks and timers.
func (p *pairs) redeem(deviceCode, userCode string) (pair, *refusal) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.live(userCode)
	if found == nil || found.deviceCode != deviceCode {
		return pair{}, invalidCodePair()
	}
	hurried := now.Sub(found.polled) < p.lives.interval*9/10
	found.polled = now
	switch {
	case hurried:
		return pair{}, slowDown()
	case !found.decided:
		return pair{}, authorizationPending()
	case !found.allowed:
		return pair{}, accessDenied()
	}
	delete(p.open, userCode)
	return *found, nil
}

func (p *pairs) live(userCode string) *pair {
	found := p.open[userCode]
	if found == nil || !time.Now().Before(found.expires) {
		return nil
	}
	return found
}

// createPair begins a code-based linking (LWA's device flow).
func (l *login) createPair(w http.ResponseWriter, r *http.Request) {
	request, refused := readTokenRequest(w, r)
	if f := l.faults.Strike(faults.PairCall); len(f) > 0 {
		refused = refusalNamed(f[0].Value, request)
	}
	if refused == nil {
		refused = pairRefusal(request)
	}
	if refused != nil {
		refused.write(w)
		return
	}
	made := pair{scope: request.get("scope"), scopeData: request.get("scope_data")}
	if !l.ask {
		made.decided, made.allowed = true, len(l.faults.Strike(faults.Consent)) == 0
	}
	made = l.pairs.give(made)
	writeJSON(w, http.StatusOK, map[string]any{
		"user_code":        made.userCode,
		"device_code":      made.deviceCode,
		"verification_uri": verificationURI(r),
		"expires_in":       life(l.lives.pair),
		"interval":         pauseOf(l.lives.interval),
	})
}

func pairRefusal(request *tokenRequest) *refusal {
	if name := request.lacks("response_type", "scope"); name != "" {
		return missing(name)
	}
	public, refused := request.authenticate()
	unknown := firstUnknown(request.get("scope"))
	switch {
	case refused != nil:
		return refused
	case !public: // code-based linking is for clients that have no secret
		return unauthorizedClient()
	case request.get("response_type") != deviceGrant:
		return invalid("response_type")
	case unknown != "":
		return invalidScope(unknown)
	case !scopeDataFits(request.get("scope"), request.get("scope_data")):
		return invalidValue("scope_data")
	}
	return nil
}

// poll answers a device that waits for its user. It needs no client_id, and may
// not have a secret.
func (l *login) poll(request *tokenRequest) (map[string]any, *refusal) {
	if name := request.lacks("device_code", "user_code"); name != "" {
		return nil, missing(name)
	}
	if request.clientID != "" && request.clientID != ClientID {
		return nil, invalidValue("client_id")
	}
	if request.clientSecret != "" {
		return nil, unauthorizedClient()
	}
	found, refused := l.pairs.redeem(request.get("device_code"), request.get("user_code"))
	if refused != nil {
		return nil, refused
	}
	return l.begin(grant{scope: found.scope, device: identity(found.scopeData), public: true}), nil
}
