package redact

import (
	"slices"
	"strings"
	"sync"
)

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Text returns a text without the secrets in it.
func (s *Patterns) Text(text string) string {
	if s.isClean(text) {
		return text
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	*buffer = append((*buffer)[:0], text...)
	var m Masker
	out, _ := m.scan(nil, *buffer, s, true)
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
		cookie, attributes, found := strings.Cut(value, ";")
		if found {
			attributes = ";" + attributes
		}
		return s.Text(maskCookies(cookie) + attributes), true
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
		name, _, found := strings.Cut(pair, "=")
		if !found {
			name = ""
		} else {
			name += "="
		}
		pairs[i] = name + Mask
	}
	return strings.Join(pairs, ";")
}
