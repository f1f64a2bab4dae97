package sandbox

import (
	"crypto/rand"
	"encoding/base64"
	"maps"
	"sync"
	"time"

	"avsproxy/internal/sandbox/faults"
)

// maxRotated is how many rotated refresh tokens are remembered, so that their reuse is
// detected.
const maxRotated = 4096

// A grant is what a user or a client allowed. It lives until it is revoked.
type grant struct {
	id     string
	scope  string
	device string // of the scope data; may be empty
	public bool   // made without a client secret, and so refreshed without one
}

type refreshToken struct {
	grant
	rotated bool // another one replaced it
}

type accessToken struct {
	grant
	issued, expires time.Time
}

// grants holds the tokens that LWA has issued; AVS asks it whether they are valid.
type grants struct {
	faults *faults.Set

	mu      sync.Mutex
	refresh map[string]refreshToken
	rotated []string // refresh tokens, oldest first
	access  map[string]accessToken
}

func newGrants(f *faults.Set) *grants {
	return &grants{faults: f, refresh: map[string]refreshToken{}, access: map[string]accessToken{}}
}

func (g *grants) add(made grant) string {
	token := newToken("Atzr|")
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refresh[token] = refreshToken{grant: made}
	return token
}

// find returns the grant of a refresh token, even if that was rotated.
func (g *grants) find(token string) (refreshToken, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found, ok := g.refresh[token]
	return found, ok
}

// rotate replaces a refresh token and returns its successor. Of several concurrent
// callers, only one succeeds.
func (g *grants) rotate(token string) (successor string, ok bool) {
	successor = newToken("Atzr|")
	g.mu.Lock()
	defer g.mu.Unlock()
	found, known := g.refresh[token]
	if !known || found.rotated {
		return "", false
	}
	g.refresh[successor] = found
	found.rotated = true
	g.refresh[token] = found
	if g.rotated = append(g.rotated, token); len(g.rotated) > maxRotated {
		delete(g.refresh, g.rotated[0])
		g.rotated = g.rotated[1:]
	}
	return successor, true
}

// issue returns a new access token. Older ones stay valid until they expire.
func (g *grants) issue(under grant, lifetime time.Duration) string {
	token := newToken("Atza|")
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.access, func(_ string, a accessToken) bool { return now.After(a.expires) })
	g.access[token] = accessToken{grant: under, issued: now, expires: now.Add(lifetime)}
	return token
}

// lookup returns a valid access token. It is an event for faults.
func (g *grants) lookup(token string) (accessToken, bool) {
	if token == "" {
		return accessToken{}, false
	}
	if len(g.faults.Strike(faults.TokenCheck)) > 0 {
		g.expireTokens()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	found, ok := g.access[token]
	return found, ok && time.Now().Before(found.expires)
}

// revoke revokes an access token alone, or a refresh token with its grant.
func (g *grants) revoke(token string) {
	g.mu.Lock()
	delete(g.access, token)
	found, ok := g.refresh[token]
	g.mu.Unlock()
	if ok {
		g.revokeGrant(found.id)
	}
}

func (g *grants) revokeGrant(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.refresh, func(_ string, r refreshToken) bool { return r.id == id })
	maps.DeleteFunc(g.access, func(_ string, a accessToken) bool { return a.id == id })
}

func (g *grants) expireTokens() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.access)
}

func (g *grants) revokeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.refresh)
	g.rotated = nil
}

// newToken returns a token of Amazon's length (about 350 characters) and alphabet.
func newToken(prefix string) string {
	var b [252]byte
	rand.Read(b[:])
	return prefix + "sandbox-" + base64.RawURLEncoding.EncodeToString(b[:])
}
