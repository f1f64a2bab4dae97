package proxy

import (
	"net/http"
	"slices"
	"strings"

	"avsproxy/tokens"
)

// bringsOwn reports whether the client sent a credential that is not our dummy.
func (i *Injector) bringsOwn(h http.Header) bool {
	for name, values := range h {
		if isCredential(name, i.header()) && slices.ContainsFunc(values, func(value string) bool { return !i.Dummy.in(value) }) {
			return true
		}
	}
	return false
}

// bringsDummy reports whether any field of the client's has the dummy in it.
func (i *Injector) bringsDummy(h http.Header) bool {
	for _, values := range h {
		if slices.ContainsFunc(values, i.Dummy.in) {
			return true
		}
	}
	return false
}

// in reports whether the access token is part of a header's value.
func (d Dummy) in(value string) bool { return d.Access != "" && strings.Contains(value, d.Access) }

// replace puts the real token into the place of the dummy, in whichever field.
func (d Dummy) replace(h http.Header, token tokens.Token) {
	if d.Access == "" {
		return
	}
	for name, values := range h {
		if !slices.ContainsFunc(values, d.in) {
			continue
		}
		filled := make([]string, len(values))
		for i, value := range values {
			filled[i] = strings.ReplaceAll(value, d.Access, token.Access.Reveal())
		}
		h[name] = filled
	}
}
