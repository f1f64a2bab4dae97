package capture

import (
	"slices"
	"strings"
)

// text returns a text without the secrets in it.
func (s *patterns) text(text string) string {
	if s.isClean(text) {
		return text
	}
	buffer := scratch.Get().(*[]byte)
	defer scratch.Put(buffer)
	*buffer = append((*buffer)[:0], text...)
	var m masker
	out, _ := m.scan(nil, *buffer, s, true)
	return string(out)
}

// field returns the value of a field without the secrets in it.
func (s *patterns) field(name, value string) string {
	switch {
	case value == "":
		return ""
	case strings.EqualFold(name, "Cookie"):
		return s.text(maskCookies(value))
	case strings.EqualFold(name, "Set-Cookie"):
		cookie, attributes, found := strings.Cut(value, ";")
		if found {
			attributes = ";" + attributes
		}
		return s.text(maskCookies(cookie) + attributes)
	case endsIn(name, "authorization"):
		return maskCredentials(value)
	case holdsSecret(name):
		return mark
	}
	return s.text(value)
}

// schemes are the authentication schemes that may be retold. The first word of
// any other credential may be the credential.
var schemes = []string{"Bearer", "Basic", "Digest", "DPoP", "Negotiate", "NTLM", "Token", "AWS4-HMAC-SHA256"}

func maskCredentials(value string) string {
	first, _, found := strings.Cut(strings.TrimSpace(value), " ")
	for _, scheme := range schemes {
		if found && strings.EqualFold(first, scheme) {
			return first + " " + mark
		}
	}
	return mark
}

// maskCookies keeps the names.
func maskCookies(value string) string {
	pairs := strings.Split(value, ";")
	for i, pair := range pairs {
		name, _, found := strings.Cut(pair, "=")
		if !found {
			name = ""
		} else {
			name += "="
		}
		pairs[i] = name + mark
	}
	return strings.Join(pairs, ";")
}

// harmlessKeys are fields that end in "key" and open nothing.
var harmlessKeys = []string{"Idempotency-Key", "Sec-WebSocket-Key", "Surrogate-Key"}

// holdsSecret reports whether name is that of a field for secrets, as Avsproxy-Key,
// X-Amz-Access-Token and X-Api-Key are.
func holdsSecret(name string) bool {
	for _, end := range []string{"token", "secret", "password", "key"} {
		if endsIn(name, end) {
			return !slices.ContainsFunc(harmlessKeys, func(key string) bool { return strings.EqualFold(key, name) })
		}
	}
	return false
}

func endsIn(name, end string) bool {
	return len(name) >= len(end) && strings.EqualFold(name[len(name)-len(end):], end)
}
