package app

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"avsproxy/internal/config"
	"avsproxy/internal/guard"
	"avsproxy/internal/terminal"
	"avsproxy/proxy"
)

// routeTable says which requests are a route's.
func routeTable(conf *config.Config) (*proxy.Table, error) {
	table := &proxy.Table{}
	for _, route := range conf.Routes {
		if err := table.Add(route.Name, routeHosts(route, table)...); err != nil {
			return nil, terminal.Usage(err, "give every host to one route only")
		}
	}
	return table, nil
}

// routeHosts are the further names of a route: the configured ones, and its
// upstream's own, also while the sandbox stands in for it. Of several routes to one
// host the first has its name.
func routeHosts(route config.Route, table *proxy.Table) []string {
	upstream, err := url.Parse(route.Upstream)
	if err != nil {
		return route.Hosts
	}
	own := guard.Authority{Host: strings.ToLower(upstream.Hostname())}
	name := own.Host
	if port := upstream.Port(); port != "" && port != "443" { // another port is another origin
		own.Port, name = port, net.JoinHostPort(own.Host, port)
	}
	if guard.IsLocal(own.Host) || table.Knows(own, guard.Door{}) || slices.Contains(route.Hosts, name) {
		return route.Hosts
	}
	return append([]string{name}, route.Hosts...)
}
