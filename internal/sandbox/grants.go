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

// grants holds what LWA has given out. The callers of its methods hold mu, except for
// lookup.
type grants struct {
	faults *faults.Set

	mu      sync.Mutex
	codes   map[string]consent // authorization codes that were not yet redeemed
	pairs   map[string]*pair   // by user code; not yet redeemed
	refresh map[string]*refreshToken
	rotated []string // refresh tokens, oldest first
	access  map[string]accessToken
}

func newGrants(f *faults.Set) *grants {
	return &grants{
		faults:  f,
		codes:   map[string]consent{},
		pairs:   map[string]*pair{},
		refresh: map[string]*refreshToken{},
		access:  map[string]accessToken{},
	}
}

func (g *grants) add(made grant) string {
	token := newToken("Atzr|")
	g.refresh[token] = &refreshToken{grant: made}
	return token
}

// rotate replaces a refresh token and returns its successor.
func (g *grants) rotate(token string) (successor string) {
	found := g.refresh[token]
	found.rotated = true
	if g.rotated = append(g.rotated, token); len(g.rotated) > maxRotated {
		delete(g.refresh, g.rotated[0])
		g.rotated = g.rotated[1:]
	}
	return g.add(found.grant)
}

// issue returns a new access token. Older ones stay valid until they expire.
func (g *grants) issue(under grant, lifetime time.Duration) string {
	token := newToken("Atza|")
	now := time.Now()
	maps.DeleteFunc(g.access, func(_ string, a accessToken) bool { return now.After(a.expires) })
	g.access[token] = accessToken{grant: under, issued: now, expires: now.Add(lifetime)}
	return token
}

// lookup returns a valid access token, for AVS and for pages of LWA. It is an event for
// faults.
func (g *grants) lookup(token string) (accessToken, bool) {
	if token == "" {
		return accessToken{}, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.faults.Strike(faults.TokenCheck)) > 0 {
		clear(g.access)
	}
	found, ok := g.access[token]
	return found, ok && time.Now().Before(found.expires)
}

// revoke revokes an access token alone, or a refresh token with its grant.
func (g *grants) revoke(token string) {
	delete(g.access, token)
	if found := g.refresh[token]; found != nil {
		g.revokeGrant(found.id)
	}
}

func (g *grants) revokeGrant(id string) {
	maps.DeleteFunc(g.refresh, func(_ string, r *refreshToken) bool { return r.id == id })
	maps.DeleteFunc(g.access, func(_ string, a accessToken) bool { return a.id == id })
}

// newToken returns a token of Amazon's length (about 350 characters) and alphabet.
func newToken(prefix string) string {
	var b [252]byte
	rand.Read(b[:])
	return prefix + "sandbox-" + base64.RawURLEncoding.EncodeToString(b[:])
}
