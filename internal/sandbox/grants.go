package sandbox

import (
	"crypto/rand"
	"encoding/base64"
	"sync"
	"time"

	"avsproxy/internal/sandbox/faults"
)

// maxSpent is how many spent refresh tokens are remembered, to tell them from
// unknown ones.
const maxSpent = 4096

// A grant is what an exchange gave: it lives until it is revoked.
type grant struct {
	family string // names the grant, and so all tokens that come of it
	scope  string
	device string // the identity it is for; empty if it is for none
	public bool   // made without a client secret, and so renewed without one
}

// A renewer is a refresh token's grant.
type renewer struct {
	grant
	spent bool // another refresh token took its place
}

// An access token's fate is its expiry.
type access struct {
	grant          grant
	given, expires time.Time
}

// grants holds the tokens that LWA gave out, and tells AVS what is good.
type grants struct {
	faults *faults.Set

	mu      sync.Mutex
	refresh map[string]renewer
	spent   []string // refresh tokens, the oldest first
	access  map[string]access
}

func newGrants(f *faults.Set) *grants {
	return &grants{faults: f, refresh: map[string]renewer{}, access: map[string]access{}}
}

// begin enters a new grant and returns its refresh token.
func (g *grants) begin(made grant) (refreshToken string) {
	refreshToken = newToken("Atzr|")
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refresh[refreshToken] = renewer{grant: made}
	return refreshToken
}

// find returns the grant of a refresh token, spent ones too.
func (g *grants) find(refreshToken string) (renewer, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found, ok := g.refresh[refreshToken]
	return found, ok
}

// rotate spends a refresh token and returns its successor. Of several callers at
// once, one gets it.
func (g *grants) rotate(refreshToken string) (successor string, ok bool) {
	successor = newToken("Atzr|")
	g.mu.Lock()
	defer g.mu.Unlock()
	found, known := g.refresh[refreshToken]
	if !known || found.spent {
		return "", false
	}
	g.refresh[successor] = found
	found.spent = true
	g.refresh[refreshToken] = found
	if g.spent = append(g.spent, refreshToken); len(g.spent) > maxSpent {
		delete(g.refresh, g.spent[0])
		g.spent = g.spent[1:]
	}
	return successor, true
}

// issue makes an access token. Older ones live on until they expire.
func (g *grants) issue(under grant, life time.Duration) (accessToken string) {
	accessToken = newToken("Atza|")
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	for token, a := range g.access { // so that a long-lived sandbox stays small
		if now.After(a.expires) {
			delete(g.access, token)
		}
	}
	g.access[accessToken] = access{grant: under, given: now, expires: now.Add(life)}
	return accessToken
}

// lookup finds an access token that is still good. Showing one is an event that
// faults wait for.
func (g *grants) lookup(accessToken string) (access, bool) {
	if accessToken == "" {
		return access{}, false
	}
	if len(g.faults.Strike(faults.TokenCheck)) > 0 {
		g.expireTokens()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	found, ok := g.access[accessToken]
	return found, ok && time.Now().Before(found.expires)
}

// end revokes a token: an access token alone, a refresh token with its family.
func (g *grants) end(token string) {
	g.mu.Lock()
	found, ok := g.refresh[token]
	delete(g.access, token)
	g.mu.Unlock()
	if ok {
		g.endFamily(found.family)
	}
}

// endFamily ends a grant with all tokens that came of it.
func (g *grants) endFamily(family string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for token, r := range g.refresh {
		if r.family == family {
			delete(g.refresh, token)
		}
	}
	for token, a := range g.access {
		if a.grant.family == family {
			delete(g.access, token)
		}
	}
}

func (g *grants) expireTokens() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.access)
}

func (g *grants) revoke() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.refresh)
	g.spent = nil
}

// newToken makes a token of Amazon's length (about 350 characters) and alphabet.
func newToken(prefix string) string {
	var b [252]byte
	rand.Read(b[:])
	return prefix + "sandbox-" + base64.RawURLEncoding.EncodeToString(b[:])
}
