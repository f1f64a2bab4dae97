package gate

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
)

// KeyHeader is the header of our own that may carry the client key.
const KeyHeader = "Avsproxy-Key"

func clientKeyRequired() *problem.Problem {
	return &problem.Problem{
		Code: problem.ClientKeyRequired, Title: "the client key is missing or wrong",
		Detail: "this proxy was configured with a client_key",
		Hint:   "send it as 'Avsproxy-Key: KEY' or 'Proxy-Authorization: Bearer KEY', or with curl --proxy-user x:KEY",
	}
}

// KeySum returns the form in which a guard keeps a client key.
func KeySum(key string) *[sha256.Size]byte {
	sum := sha256.Sum256([]byte(key))
	return &sum
}

// takeKey looks for the client key where clients can put one, and removes it from the
// fields: it is for us and not for an upstream. As a bearer token it serves clients
// that can be given a token and nothing else.
func takeKey(f exchange.Fields, sum [sha256.Size]byte) (found bool) {
	f.DeleteFunc(func(name, value string) bool {
		isOurs := holdsKey(name, value, sum)
		found = found || isOurs
		return isOurs
	})
	return found
}

func holdsKey(name, value string, sum [sha256.Size]byte) bool {
	switch {
	case strings.EqualFold(name, KeyHeader):
		return isKey(value, sum)
	case strings.EqualFold(name, "Proxy-Authorization"):
		return isKey(bearer(value), sum) || isKey(basicPassword(value), sum)
	case strings.EqualFold(name, "Authorization"):
		return isKey(bearer(value), sum)
	}
	return false
}

// bearer returns the token of "Bearer TOKEN" (RFC 6750 section 2.1), else "".
func bearer(value string) string {
	if scheme, rest, _ := strings.Cut(value, " "); exchange.Lower(scheme) == "bearer" {
		return strings.TrimLeft(rest, " ")
	}
	return ""
}

// basicPassword returns the password of "Basic CREDENTIALS" (RFC 7617), else "".
// The user's name may be any.
func basicPassword(value string) string {
	scheme, rest, _ := strings.Cut(value, " ")
	if exchange.Lower(scheme) != "basic" {
		return ""
	}
	text, _ := base64.StdEncoding.DecodeString(strings.TrimLeft(rest, " "))
	_, password, _ := strings.Cut(string(text), ":")
	return password
}

func isKey(candidate string, sum [sha256.Size]byte) bool {
	got := sha256.Sum256([]byte(candidate))
	return subtle.ConstantTimeCompare(got[:], sum[:]) == 1
}
