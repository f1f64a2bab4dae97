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
	switch {
	case value == "":
		return "", false
	case strings.EqualFold(name, "Cookie"):
		return s.Text(maskCookies(value)), true
	case strings.EqualFold(name, "Set-Cookie"):
		end := strings.IndexByte(value+";", ';')
		return s.Text(maskCookies(value[:end]) + value[end:]), true
	case endsIn(name, "authorization"):
		return maskCredentials(value), true
	case HoldsSecret(name):
		return Mask, true
	}
	text := s.Text(value)
	return text, text != value
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
