package tokens

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
)

// sameSecret compares in constant time, whatever the lengths.
func sameSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// Fingerprint names a secret without telling it: the first 8 bytes of its
// SHA-256 in hex.
func Fingerprint(secret Secret) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:8])
}
