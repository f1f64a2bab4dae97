package main

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"avsproxy/internal/config"
)

// confidedLeast is the length from which a value is hidden that goes by its name: a
// shorter one is no key, and would be found everywhere.
const confidedLeast = 8

// confide hides what the configuration holds, before any of it is used: its secrets
// as far as they are at hand, and what the names of headers and parameters give away.
func (h *keptSecrets) confide(conf *config.Config) {
	h.note(h.place(), conf.Proxy.ClientKey.AtHand())
	for _, c := range conf.Credentials {
		for _, secret := range []config.Secret{c.ClientSecret, c.RefreshToken, c.Token} {
			h.note(h.place(), secret.AtHand())
		}
		h.confideNamed(c.AuthParams)
		h.confideNamed(c.TokenParams)
	}
	for _, route := range conf.Routes {
		h.confideNamed(route.Headers)
	}
}

func (h *keptSecrets) confideNamed(values map[string]string) {
	for name, value := range values {
		if opens(name) {
			h.hide(slices.DeleteFunc(openingParts(name, value), func(part string) bool { return len(part) < confidedLeast })...)
		}
	}
}

// confideProxies hides the passwords of the proxies that the environment names.
func (h *keptSecrets) confideProxies(getenv func(string) string) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		if proxy, err := url.Parse(getenv(name)); err == nil && proxy.User != nil {
			password, _ := proxy.User.Password()
			h.hide(password, base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password)))
		}
	}
}

// opens reports whether a header or a parameter of that name opens something, as
// X-Api-Key and client_assertion do.
func opens(name string) bool {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	return slices.ContainsFunc(words, func(word string) bool {
		for _, end := range []string{"token", "secret", "password", "passwd", "key", "auth", "authorization", "cookie", "credential", "credentials", "session", "signature", "assertion", "jwt"} {
			if strings.HasSuffix(word, end) {
				return true
			}
		}
		return false
	})
}

// openingParts are the parts of a value by which alone something opens: the credentials
// behind a scheme, the password of Basic ones (RFC 7617), the values of cookies.
func openingParts(name, value string) (parts []string) {
	if strings.EqualFold(name, "Cookie") {
		for pair := range strings.SplitSeq(value, ";") {
			_, value, _ := strings.Cut(pair, "=")
			parts = append(parts, strings.TrimSpace(value))
		}
		return parts
	}
	scheme, credentials, found := strings.Cut(value, " ")
	switch {
	case !found:
		return []string{value}
	case !strings.EqualFold(scheme, "Basic"):
		return []string{credentials}
	}
	pair, _ := base64.StdEncoding.DecodeString(credentials)
	_, password, _ := strings.Cut(string(pair), ":")
	return []string{credentials, string(pair), password}
}
