package capture

import "strings"

// text returns a text without the secrets in it.
func (s *patterns) text(text string) string {
	in, out := scratch.Get().(*[]byte), scratch.Get().(*[]byte)
	defer scratch.Put(in)
	defer scratch.Put(out)
	*in = append((*in)[:0], text...)
	var m masker
	*out, _ = m.scan((*out)[:0], *in, s, true)
	if !m.masked {
		return text
	}
	return string(*out)
}

// field returns the value of a field without the secrets in it.
func (s *patterns) field(name, value string) string {
	name = strings.ToLower(name)
	switch {
	case value == "":
		return ""
	case name == "cookie":
		return maskCookies(value)
	case name == "set-cookie":
		cookie, attributes, found := strings.Cut(value, ";")
		if found {
			attributes = ";" + s.text(attributes)
		}
		return maskCookies(cookie) + attributes
	case strings.HasSuffix(name, "authorization"):
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
var harmlessKeys = map[string]bool{"idempotency-key": true, "sec-websocket-key": true, "surrogate-key": true}

// holdsSecret reports whether the lower-case name is that of a field for secrets,
// as Avsproxy-Key, X-Amz-Access-Token and X-Api-Key are.
func holdsSecret(name string) bool {
	for _, end := range []string{"token", "secret", "password", "key"} {
		if strings.HasSuffix(name, end) {
			return !harmlessKeys[name]
		}
	}
	return false
}
