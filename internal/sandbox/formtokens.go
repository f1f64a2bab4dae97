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

// A formSealer makes the tokens of forms, by which they are known to come from
// our own pages (another site's form cannot have one). It remembers nothing: a
// token is a time and a hash of it, the form's purpose and a key.
type formSealer struct {
	life time.Duration
	key  [32]byte
}

func newFormSealer(life time.Duration) *formSealer {
	s := &formSealer{life: life}
	rand.Read(s.key[:])
	return s
}

// seal returns a token for a form of this purpose.
func (s *formSealer) seal(purpose string) string {
	until := strconv.FormatInt(time.Now().Add(s.life).UnixNano(), 36)
	return until + "." + s.hash(until, purpose)
}

// sealed reports whether a token is one for this purpose, and not too old.
func (s *formSealer) sealed(purpose, token string) bool {
	until, hash, _ := strings.Cut(token, ".")
	limit, err := strconv.ParseInt(until, 36, 64)
	return err == nil && hmac.Equal([]byte(hash), []byte(s.hash(until, purpose))) && time.Now().UnixNano() < limit
}

func (s *formSealer) hash(until, purpose string) string {
	sum := hmac.New(sha256.New, s.key[:])
	sum.Write([]byte(until + " " + purpose))
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}
