package tokens

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// A Secret is text that cannot print itself: every formatting verb, slog and
// encoding/json show "***" in its place, so that a token cannot reach a log by
// accident. Reveal is the one way to the text. The zero value is "no secret".
//
// Package fmt calls no methods on what it reaches through an unexported field: a
// type that keeps a Secret, [Token] or [Grant] in one needs a Format of its own.
type Secret string

const hidden = "***"

// Reveal returns the text itself, for the wire and the store only.
func (s Secret) Reveal() string { return string(s) }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s == "" }

// String returns "***", or nothing for the zero value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// Format hides the text from every verb, %x and %#v included.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue hides the text from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON hides the text from encoding/json. The store keeps secrets in a
// form of its own.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalText hides the text from encoders that ask for text, toml and xml among them.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Equal compares in constant time, whatever the lengths.
func (s Secret) Equal(other Secret) bool {
	x, y := sha256.Sum256([]byte(s)), sha256.Sum256([]byte(other))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// Fingerprint names a secret without telling it: the first 8 bytes of its
// SHA-256 in hex.
func Fingerprint(secret Secret) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:8])
}
