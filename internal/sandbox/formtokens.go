package sandbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// formTokens makes and checks the tokens that protect forms against forgery by other
// sites. It stores none: a token is its expiry, and a MAC of expiry and purpose.
type formTokens struct {
	lifetime time.Duration
	key      [32]byte
}

func newFormTokens(lifetime time.Duration) *formTokens {
	t := &formTokens{lifetime: lifetime}
	rand.Read(t.key[:])
	return t
}

func (t *formTokens) issue(purpose string) string {
	expiry := strconv.FormatInt(time.Now().Add(t.lifetime).UnixNano(), 36)
	return expiry + "." + t.mac(expiry, purpose)
}

func (t *formTokens) valid(purpose, token string) bool {
	expiry, mac, _ := strings.Cut(token, ".")
	expires, err := strconv.ParseInt(expiry, 36, 64)
	return err == nil && hmac.Equal([]byte(mac), []byte(t.mac(expiry, purpose))) && time.Now().UnixNano() < expires
}

func (t *formTokens) mac(expiry, purpose string) string {
	sum := hmac.New(sha256.New, t.key[:])
	sum.Write([]byte(expiry + " " + purpose))
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}
