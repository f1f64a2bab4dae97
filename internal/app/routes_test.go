package app

import (
	"slices"
	"testing"

	"avsproxy/internal/config"
	"avsproxy/internal/gate"
)

// An upstream's port is part of its name: another one is another origin.
func TestRouteHostsNameTheUpstreamWithItsPort(t *testing.T) {
	for upstream, want := range map[string][]string{
		"https://api.example":          {"api.example", "more"},
		"https://API.example:443/base": {"api.example", "more"},
		"https://api.example:8443":     {"api.example:8443", "more"},
		"https://localhost:8443":       {"more"},
	} {
		got := routeHosts(config.Route{Upstream: upstream, Hosts: []string{"more"}}, &gate.Table{})
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", upstream, got, want)
		}
	}
}
