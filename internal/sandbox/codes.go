package sandbox

import (
	"crypto/rand"
	"maps"
	"math/big"
	"sync"
	"time"
)

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// A consent is what a user agreed to. Its code can be redeemed once.
type consent struct {
	redirectURI string
	scope       string
	device      string
	challenge   string // PKCE (RFC 7636); empty if the request had none
	method      string // of the challenge; empty means plain
	expires     time.Time
}

// codes holds the consents whose authorization codes were not yet redeemed.
type codes struct {
	lifetime time.Duration

	mu   sync.Mutex
	open map[string]consent
}

func (c *codes) issue(made consent) string {
	code := "AN" + randomText(letters, 18) // as long as Amazon's
	now := time.Now()
	made.expires = now.Add(c.lifetime)
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.open, func(_ string, old consent) bool { return now.After(old.expires) })
	c.open[code] = made
	return code
}

// redeem returns the consent of a code, and invalidates the code, even if the
// exchange fails later.
func (c *codes) redeem(code string) (consent, bool) {
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
