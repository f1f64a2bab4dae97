package redact

import (
	"slices"
	"strings"
)

// Text returns a text without the secrets in it.
func (s *Patterns) Text(text string) string {
	if findFour(s, text) < 0 { // as in almost all texts
		return text
	}
	var m Masker
	out, _ := m.scan(nil, []byte(text), s, true)
	return string(out)
}

// Field returns the value of a header field without the secrets in it, and whether it
// had any.
func (s *Patterns) Field(name, value string) (_ string, masked bool) {
	known, masked := FieldByName(name, value)
	text := s.Text(known)
	return text, masked || text != value
}

// FieldByName returns the value of a header field without what is secret by the field's name,
// and whether it had any. Other secrets stay.
func FieldByName(name, value string) (_ string, masked bool) {
	switch {
	case value == "":
		return "", false
	case !mayEnd(name): // as most
		return value, false
	case strings.EqualFold(name, "Cookie"):
		return maskCookies(value), true
	case strings.EqualFold(name, "Set-Cookie"):
		end := strings.IndexByte(value+";", ';')
		return maskCookies(value[:end]) + value[end:], true
	case endsIn(name, "authorization"):
		return maskCredentials(value), true
	case HoldsSecret(name):
		return Mask, true
	}
	return value, false
}

// schemes are the authentication schemes that are shown. The first word of any other
// credentials may be secret.
var schemes = []string{"Bearer", "Basic", "Digest", "DPoP", "Negotiate", "NTLM", "Token", "AWS4-HMAC-SHA256"}

func maskCredentials(value string) string {
	first, _, found := strings.Cut(strings.TrimSpace(value), " ")
	if found && slices.ContainsFunc(schemes, func(scheme string) bool { return strings.EqualFold(first, scheme) }) {
		return first + " " + Mask
	}
	return Mask
}

// maskCookies masks the values but not the names.
func maskCookies(value string) string {
	pairs := strings.Split(value, ";")
	for i, pair := range pairs {
		pairs[i] = pair[:strings.IndexByte(pair, '=')+1] + Mask
	}
	return strings.Join(pairs, ";")
}

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

// Query masks the values of a target's parameters whose names say that they are secret, for who writes targets where they
// stay. Other secrets in it are for [Patterns.Text].
func Query(target string) string {
	path, query, ok := strings.Cut(target, "?")
	if !ok {
		return target
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if name, _, ok := strings.Cut(pair, "="); ok && (HoldsSecret(name) || strings.EqualFold(name, "sig") || strings.EqualFold(name, "code") || strings.EqualFold(name, "pin")) {
			pairs[i] = name + "=" + Mask
		}
	}
	return path + "?" + strings.Join(pairs, "&")
}

// HoldsSecret reports whether a header field or a parameter of that name holds a
// secret.
func HoldsSecret(name string) bool {
	if name == "" {
		return false
	}
	for _, word := range secretWordsBy[name[len(name)-1]|0x20] {
		if endsIn(name, word) {
			return !slices.ContainsFunc(publicNames, func(public string) bool { return strings.EqualFold(public, name) })
		}
	}
	return false
}

// secretWordsBy are the words by their last letter.
var secretWordsBy = func() (by [256][]string) {
	for _, word := range secretWords {
		last := word[len(word)-1]
		by[last] = append(by[last], word)
	}
	return by
}()

// mayEnd reports whether a name ends in the last two letters of one of secretWords.
func mayEnd(name string) bool {
	n := len(name)
	return n > 1 && lastLetters[name[n-2]&31][name[n-1]&31]
}

var lastLetters = func() (all [32][32]bool) {
	for _, word := range secretWords {
		n := len(word)
		all[word[n-2]&31][word[n-1]&31] = true
	}
	return all
}()

// mayHoldSecret is HoldsSecret for each word of a name, as in X-Key-Value.
func mayHoldSecret(name string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(name, func(c rune) bool { return c == '-' || c == '_' || c == '.' }), HoldsSecret)
}

func endsIn(name, end string) bool {
	from := len(name) - len(end)
	return from >= 0 && name[len(name)-1]|0x20 == end[len(end)-1] && strings.EqualFold(name[from:], end)
}
