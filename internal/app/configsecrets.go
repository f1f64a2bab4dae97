package app

import (
	"slices"
	"strings"

	"avsproxy/internal/config"
	"avsproxy/internal/redact"
	"avsproxy/tokens"
)

// A secretSet holds the secrets of the configuration that are known so far. Redaction
// must not wait for a command or a person, so it uses only these.
type secretSet struct{ redact.Set }

// addConfig adds the secrets that are available without waiting, and the values of
// headers and parameters whose names say that they are secret.
func (s *secretSet) addConfig(conf *config.Config) {
	s.Add(conf.Proxy.ClientKey.ResolveQuick().Reveal())
	for _, secret := range append([]config.SecretRef{conf.Store.URL, conf.Store.EncryptionKey}, conf.Store.OldEncryptionKeys...) {
		s.Add(secret.ResolveQuick().Reveal())
	}
	for _, c := range conf.Credentials {
		for _, secret := range []config.SecretRef{c.ClientSecret, c.RefreshToken, c.Token} {
			s.Add(secret.ResolveQuick().Reveal())
		}
		s.AddNamed(c.AuthParams)
		s.AddNamed(c.TokenParams)
	}
	for _, route := range conf.Routes {
		s.AddNamed(route.Headers)
	}
}

// wrap returns resolve, and adds each value that it returns.
func (s *secretSet) wrap(resolve func() (tokens.Secret, error)) func() (tokens.Secret, error) {
	slot := s.Slot()
	return func() (tokens.Secret, error) {
		secret, err := resolve()
		slot.Observe(secret.Reveal())
		return secret, err
	}
}

// secrets returns all values that must not be shown, from memory.
func (p *Program) secrets() []string {
	list := p.configSecrets.Values()
	encoded := p.sendsBase64()
	for _, credential := range p.credentials {
		for _, secret := range credential.Source.Secrets() {
			list = append(list, secret.Reveal())
			if encoded {
				list = append(list, redact.Base64Forms(secret.Reveal())...)
			}
		}
	}
	return list
}

// sendsBase64 reports whether upstreams receive tokens in base64.
func (p *Program) sendsBase64() bool {
	const placeholder = "{base64}"
	return slices.ContainsFunc(p.conf.Routes, func(r config.Route) bool { return strings.Contains(r.Format, placeholder) }) ||
		slices.ContainsFunc(p.credentials, func(c *Credential) bool { return strings.Contains(c.Conf.Format, placeholder) })
}
