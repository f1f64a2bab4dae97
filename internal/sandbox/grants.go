package sandbox

import (
	"crypto/rand"
	"encoding/base64"
	"math/big"
	"sync"
	"time"
)

const codeLife = 5 * time.Minute

// A consent is what a user agreed to; its code is good for one exchange.
type consent struct {
	redirectURI string
	scope       string
	challenge   string // PKCE (RFC 7636); empty if the request had none
	method      string // of the challenge; empty means plain
	expires     time.Time
}

// A grant is what an exchange gave: it lives until it is revoked.
type grant struct {
	scope  string
	public bool // made without a client secret, and so renewed without one
}

// An access token's fate is its expiry.
type access struct {
	grant   grant
	expires time.Time
}

// grants holds what LWA gave out, and tells AVS what is good.
type grants struct {
	life time.Duration

	mu      sync.Mutex
	codes   map[string]consent
	refresh map[string]grant
	access  map[string]access
}

func newGrants(life time.Duration) *grants {
	return &grants{
		life:    life,
		codes:   map[string]consent{},
		refresh: map[string]grant{},
		access:  map[string]access{},
	}
}

// consented gives a code for a consent.
func (g *grants) consented(c consent) string {
	code := newCode()
	c.expires = time.Now().Add(codeLife)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sweep()
	g.codes[code] = c
	return code
}

// spend returns the consent behind a code. Whatever comes of it, the code is
// dead then: a failed exchange burns it too.
func (g *grants) spend(code string) (consent, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, known := g.codes[code]
	delete(g.codes, code)
	return c, known && time.Now().Before(c.expires)
}

// begin makes a new grant and returns its refresh token.
func (g *grants) begin(made grant) (refreshToken string) {
	refreshToken = newToken("Atzr|")
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refresh[refreshToken] = made
	return refreshToken
}

func (g *grants) find(refreshToken string) (grant, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found, ok := g.refresh[refreshToken]
	return found, ok
}

// issue makes an access token. Older ones live on until they expire.
func (g *grants) issue(under grant) (accessToken string) {
	accessToken = newToken("Atza|")
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sweep()
	g.access[accessToken] = access{grant: under, expires: time.Now().Add(g.life)}
	return accessToken
}

// lookup finds an access token that is still good.
func (g *grants) lookup(accessToken string) (access, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found, ok := g.access[accessToken]
	return found, ok && time.Now().Before(found.expires)
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
}

// expiresIn is the token's life as LWA states it: whole seconds.
func (g *grants) expiresIn() int {
	return max(1, int(g.life/time.Second))
}

// sweep forgets what has expired, so that a long-lived sandbox stays small. The
// caller holds the lock.
func (g *grants) sweep() {
	now := time.Now()
	for code, c := range g.codes {
		if now.After(c.expires) {
			delete(g.codes, code)
		}
	}
	for token, a := range g.access {
		if now.After(a.expires) {
			delete(g.access, token)
		}
	}
}

// newToken makes a token of Amazon's length (about 350 characters) and alphabet.
func newToken(prefix string) string {
	var b [252]byte
	rand.Read(b[:])
	return prefix + "sandbox-" + base64.RawURLEncoding.EncodeToString(b[:])
}

// newCode makes a code like Amazon's: 20 letters that begin with AN.
func newCode() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	code := []byte("AN")
	for len(code) < 20 {
		i, _ := rand.Int(rand.Reader, big.NewInt(int64(len(letters)))) // rand.Reader never fails
		code = append(code, letters[i.Int64()])
	}
	return string(code)
}
