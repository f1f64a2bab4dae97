package redact

import (
	"slices"
	"strings"
)

// secretWords end the words in the names of header fields and parameters that hold
// secrets, as in X-Api-Key, X-Amz-Access-Token and client_assertion.
var secretWords = []string{
	"token", "secret", "password", "passwd", "key", "auth", "authorization", "cookie", "credential", "credentials",
	"session", "signature", "assertion", "jwt",
}

// publicNames end in such a word but hold no secret.
var publicNames = []string{"Idempotency-Key", "Sec-WebSocket-Key", "Surrogate-Key", "Access-Control-Allow-Credentials"}

// secretMembers are the exact names of JSON members and parameters that hold secrets
// (RFC 6749, RFC 7521, RFC 7636, RFC 8628). secretParams hold them only in URLs and
// forms: in JSON, AVS calls positions in an audio stream "token", and errors have a
// "code".
var (
	secretMembers = []string{
		"access_token", "refresh_token", "id_token", "client_secret", "client_assertion", "assertion",
		"device_code", "code_verifier", "password", "accessToken", "refreshToken", "idToken", "clientSecret",
	}
	secretParams = []string{"code", "token"}
)

// HoldsSecret reports whether a header field or a parameter of that name holds a
// secret.
func HoldsSecret(name string) bool {
	return slices.ContainsFunc(secretWords, func(word string) bool { return endsIn(name, word) }) &&
		!slices.ContainsFunc(publicNames, func(public string) bool { return strings.EqualFold(public, name) })
}

// mayHoldSecret is HoldsSecret for each word of a name, as in X-Key-Value.
func mayHoldSecret(name string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(name, func(c rune) bool { return c == '-' || c == '_' || c == '.' }), HoldsSecret)
}

func endsIn(name, end string) bool {
	from := len(name) - len(end)
	return from >= 0 && name[len(name)-1]|0x20 == end[len(end)-1] && strings.EqualFold(name[from:], end)
}
