package sandbox

import (
	"crypto/rand"
	"math/big"
	"sync"
	"time"
)

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// A consent is what a user agreed to; its code is good for one exchange.
type consent struct {
	redirectURI string
	scope       string
	device      string
	challenge   string // PKCE (RFC 7636); empty if the request had none
	method      string // of the challenge; empty means plain
	expires     time.Time
}

// codes holds the consents that were not yet exchanged.
type codes struct {
	life time.Duration

	mu   sync.Mutex
	open map[string]consent
}

// give returns a code for a consent.
func (c *codes) give(made consent) string {
	code := "AN" + randomText(letters, 18) // as long as Amazon's
	now := time.Now()
	made.expires = now.Add(c.life)
	c.mu.Lock()
	defer c.mu.Unlock()
	for old, consent := range c.open {
		if now.After(consent.expires) {
			delete(c.open, old)
		}
	}
	c.open[code] = made
	return code
}

// spend returns the consent behind a code. Whatever comes of it, the code is
// dead then: a failed exchange burns it too.
func (c *codes) spend(code string) (consent, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, known := c.open[code]
	delete(c.open, code)
	return found, known && time.Now().Before(found.expires)
}

func randomText(alphabet string, n int) string {
	text := make([]byte, n)
	for i := range text {
		j, _ := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet)))) // rand.Reader never fails
		text[i] = alphabet[j.Int64()]
	}
	return string(text)
}
