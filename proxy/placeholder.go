package proxy

import (
	"net/http"
	"slices"
	"strings"

	"avsproxy/tokens"
)

// bringsOwn reports whether the client sent a credential that is not our placeholder.
func (i *Injector) bringsOwn(h http.Header) bool {
	for name, values := range h {
		if isCredential(name, i.header()) && slices.ContainsFunc(values, func(value string) bool { return !i.Placeholder.in(value) }) {
			return true
		}
	}
	return false
}

// bringsPlaceholder reports whether any field of the client's has the placeholder in it.
func (i *Injector) bringsPlaceholder(h http.Header) bool {
	for _, values := range h {
		if slices.ContainsFunc(values, i.Placeholder.in) {
			return true
		}
	}
	return false
}

// in reports whether the access token is part of a header's value.
func (d PlaceholderToken) in(value string) bool {
	return d.Access != "" && strings.Contains(value, d.Access)
}

// replace puts the real token into the place of the placeholder, in whichever field.
func (d PlaceholderToken) replace(h http.Header, token tokens.Token) {
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
