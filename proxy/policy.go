package proxy

import (
	"errors"
	"net/http"
	"slices"

	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
)

var errNotListed = errors.New("no rule in the route's allow list covers the request")

// Allow lets through to next only what [gate.Permit] permits.
func Allow(rules []string, under string, next http.Handler) http.Handler {
	if len(rules) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, why := gate.Permit(rules, under, httpexchange.Head(r))
		if why == "" {
			next.ServeHTTP(w, r)
			return
		}
		note(r.Context(), func(e *Exchange) { e.Decision, e.Fault = Refused, errNotListed })
		problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed",
			Detail: why,
			Hint:   "change the request, or add a rule to 'allow' of the route in config.toml",
		}.Write(w)
	})
}

// drop removes the named fields, in every spelling.
func drop(h http.Header, names []string) {
	for name := range h {
		if slices.ContainsFunc(names, func(unwanted string) bool { return exchange.SameField(name, unwanted) }) {
			delete(h, name)
		}
	}
}
