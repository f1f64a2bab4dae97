package app

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/certs"
	"avsproxy/internal/config"
	"avsproxy/internal/exchange"
	"avsproxy/internal/terminal"
)

// A RouteHost is a host that requests for a route may name.
type RouteHost struct{ route, Host string }

// CertifiedHosts are the hosts that clients which are sent here by HTTPS_PROXY ask
// for over TLS: of each route the upstream's own and the configured ones. What is
// no plain host is left out, since no request can name it either.
func CertifiedHosts(conf *config.Config) (list []RouteHost) {
	for _, route := range conf.Routes {
		names := route.Hosts
		if upstream, err := url.Parse(route.Upstream); err == nil {
			names = append([]string{upstream.Host}, names...)
		}
		for _, name := range names {
			if authority, ok := exchange.ParseAuthority(name); ok && !exchange.IsLocal(authority.Host) && !strings.HasSuffix(authority.Host, ".localhost") {
				list = append(list, RouteHost{route.Name, authority.Host})
			}
		}
	}
	return list
}

// OpenAuthority opens this installation's authority for the hosts of all routes. Only
// the process that replaces it knows that it did, so every command warns.
func OpenAuthority(ctx context.Context, e *Environment, conf *config.Config) (*certs.Authority, error) {
	hosts := CertifiedHosts(conf)
	var names []string
	for _, h := range hosts {
		names = append(names, h.Host)
	}
	slow := time.AfterFunc(time.Second, func() {
		e.UI.Say("avsproxy: waiting for the certificate authority; another process may hold %s", filepath.Join(conf.Store.Path, certs.LockFile))
	})
	authority, err := certs.Open(conf.Store.Path, names...)
	slow.Stop()
	if err != nil {
		return nil, terminal.Failed(err, "")
	}
	if len(authority.AddedHosts()) > 0 {
		warnNewAuthority(ctx, e, conf, broughtText(hosts, authority.AddedHosts()))
	}
	return authority, nil
}

func warnNewAuthority(ctx context.Context, e *Environment, conf *config.Config, brought string) {
	hint := "run 'avsproxy ca trust' again, and give the new " + certs.RootFile + " to clients that have a copy of the old one"
	if FindDaemon(ctx, e, conf) != nil {
		hint = "restart the running 'avsproxy serve', which still signs with the old one; " + hint
	}
	e.UI.Warn("the certificate authority was made anew, because "+brought, hint)
}

// broughtText says which route brought which host.
func broughtText(hosts []RouteHost, fresh []string) string {
	var parts []string
	for _, host := range fresh {
		i := slices.IndexFunc(hosts, func(h RouteHost) bool { return h.Host == host })
		if i >= 0 {
			parts = append(parts, fmt.Sprintf("route %s brought the host %s", hosts[i].route, host))
		}
	}
	return strings.Join(parts, ", and ")
}
