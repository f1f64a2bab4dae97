package main

import (
	"encoding/base64"
	"slices"
	"strings"
	"sync"

	"avsproxy/internal/config"
	"avsproxy/tokens"
)

// valuesMost is how many values are remembered of one secret, which may change while
// the process runs.
const valuesMost = 4

// keptSecrets are those of the configuration as far as they are known: nobody is to
// wait, or to be asked, for what is only to be hidden.
type keptSecrets struct {
	mu     sync.Mutex
	places [][]string // what each secret was
}

// hide is for what does not change.
func (h *keptSecrets) hide(values ...string) { h.place(values...) }

func (h *keptSecrets) place(values ...string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.places = append(h.places, values)
	return len(h.places) - 1
}

// note adds what the secret of a place is now.
func (h *keptSecrets) note(place int, secret tokens.Secret) {
	h.mu.Lock()
	defer h.mu.Unlock()
	values := h.places[place]
	if secret.IsZero() || slices.Contains(values, secret.Reveal()) {
		return
	}
	values = append(slices.Clip(values), secret.Reveal())
	h.places[place] = values[max(0, len(values)-valuesMost):]
}

// of returns resolve, and notes what it gives.
func (h *keptSecrets) of(resolve func() (tokens.Secret, error)) func() (tokens.Secret, error) {
	place := h.place()
	return func() (tokens.Secret, error) {
		secret, err := resolve()
		h.note(place, secret)
		return secret, err
	}
}

func (h *keptSecrets) list() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Concat(h.places...)
}

// secrets are all values that must not be shown, from memory.
func (p *program) secrets() []string {
	list := p.hidden.list()
	encoded := p.sendsBase64()
	for _, credential := range p.credentials {
		for _, secret := range credential.source.Secrets() {
			list = append(list, secret.Reveal())
			if encoded {
				list = append(list, encodedForms(secret.Reveal())...)
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

// encodedForms are what else shows a token that is sent in base64: that, and where it
// is a pair as Basic has it (RFC 7617), the password.
func encodedForms(token string) []string {
	_, password, _ := strings.Cut(token, ":")
	return []string{base64.StdEncoding.EncodeToString([]byte(token)), password}
}
