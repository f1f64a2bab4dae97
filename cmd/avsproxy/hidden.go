package main

import (
	"encoding/base64"
	"slices"
	"strings"
	"sync"

	"avsproxy/internal/config"
	"avsproxy/tokens"
)

// hiddenMost is how many values are remembered of the configuration's secrets, which may
// change while the process runs.
const hiddenMost = 64

// keptSecrets are those of the configuration as far as they were read: nobody
// is to wait, or to be asked, for what is only to be hidden.
type keptSecrets struct {
	mu    sync.Mutex
	known []string
}

func (h *keptSecrets) add(secret tokens.Secret) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if secret.IsZero() || slices.Contains(h.known, secret.Reveal()) {
		return
	}
	if h.known = append(h.known, secret.Reveal()); len(h.known) > hiddenMost {
		h.known = slices.Delete(h.known, 0, 1)
	}
}

// read returns what reads a secret, and adds what it was.
func (h *keptSecrets) read(secret config.Secret) func() (tokens.Secret, error) {
	h.add(secret.Inline())
	return h.of(secret.Resolve)
}

func (h *keptSecrets) of(resolve func() (tokens.Secret, error)) func() (tokens.Secret, error) {
	return func() (tokens.Secret, error) {
		secret, err := resolve()
		h.add(secret)
		return secret, err
	}
}

// secrets are all values that must not be shown, from memory.
func (p *program) secrets() []string {
	p.hidden.mu.Lock()
	list := slices.Clone(p.hidden.known)
	p.hidden.mu.Unlock()
	encoded := p.sendsBase64()
	for _, credential := range p.credentials {
		for _, secret := range credential.source.Secrets() {
			list = append(list, secret.Reveal())
			if encoded {
				list = append(list, base64.StdEncoding.EncodeToString([]byte(secret.Reveal())))
			}
		}
	}
	return list
}

// sendsBase64 reports whether upstreams get tokens in another form.
func (p *program) sendsBase64() bool {
	const mark = "{base64}"
	return slices.ContainsFunc(p.conf.Routes, func(r config.Route) bool { return strings.Contains(r.Format, mark) }) ||
		slices.ContainsFunc(p.credentials, func(c *credential) bool { return strings.Contains(c.conf.Format, mark) })
}
