package app

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"

	"avsproxy/internal/avs"
	"avsproxy/internal/avsroute"
	"avsproxy/internal/breakpoint"
	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/h2"
	"avsproxy/internal/terminal"
	"avsproxy/internal/tunnel"
	"avsproxy/proxy"
)

// A pipeline is the way of every request, from the listener to the upstreams.
type pipeline struct {
	handler     *proxy.Handler
	dialer      *tunnel.Dialer
	group       *h2.Group
	relays      bool
	placeholder proxy.PlaceholderToken // the zero value: no route has token_endpoint
	inbox       *tunnel.ConnQueue      // what came inside CONNECT, for the server of handler to serve as well
	tunnels     *tunnel.Group
	routes      []console.Route
	closers     []func()                         // of what routes do by themselves
	background  []func(context.Context)          // of single connections and of downchannels
	channels    map[string]*avsroute.Downchannel // by route, those that are kept
}

// pipeline joins the parts. loginURL is the page on which a person logs in to a credential.
func (p *Program) pipeline(watch observers, loginURL func(credential string) string, around serverHooks) (*pipeline, error) {
	dialer := &tunnel.Dialer{Own: around.ownAddresses, Loopback: loopbackAllowed(p.conf)}
	line := &pipeline{inbox: tunnel.NewConnQueue(), tunnels: &tunnel.Group{}, dialer: dialer, group: around.group, relays: around.relays, channels: map[string]*avsroute.Downchannel{}}
	table, err := p.routeTable()
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(p.conf.Routes, func(r config.Route) bool { return r.TokenEndpoint }) {
		line.placeholder = proxy.NewPlaceholderToken() // one for all: clients ask at one route and use what they get at another
	}
	rules, err := p.rules(table)
	if err != nil {
		return nil, terminal.Usage(err, "")
	}
	line.handler = &proxy.Handler{
		Rules: rules, Table: table, Observer: watch.Observer,
		Unrouted:  proxy.NewUnrouted(proxy.UnroutedOptions{Dial: dialer.Dial, Tunnels: line.tunnels, Most: maxTunnels(OpenFiles()), ErrorLog: watch.errorLog}),
		Intercept: tunnel.Intercept(line.inbox, around.place),
		Points:    new(breakpoint.Points),
		Enter:     around.enter,
		TryEnter:  around.tryEnter,
		Withhold:  console.StripConsoleCredentials,
	}
	for _, route := range p.conf.Routes {
		b := routeBuilder{program: p, pipeline: line, observers: watch, route: route, loginURL: loginURL(route.Credential)}
		built, err := b.build()
		if err != nil {
			return nil, err
		}
		line.handler.Routes = append(line.handler.Routes, built)
	}
	return line, nil
}

// routeHostsHint says where a forwarded port is named.
const routeHostsHint = "hosts of the route, in config.toml"

// rules are what the proxy asks of every request.
func (p *Program) rules(table *gate.Table) (gate.Rules, error) {
	usersHint := "name that user in allow_users, in [proxy] of config.toml; or set client_key there and present it"
	if !p.conf.Proxy.ClientKey.IsZero() {
		usersHint = "present the client_key, or name that user in allow_users, in [proxy] of config.toml"
	}
	rules := gate.Rules{
		Users: p.users.proxy, UsersHint: usersHint,
		Host: table.Knows, Names: table.Names(), Others: p.conf.Proxy.Others == "tunnel",
		HostsHint: routeHostsHint,
		Origin: func(a exchange.Authority, d exchange.Listener, origin string) bool {
			i, ok := table.Choose(a, d)
			return ok && slices.Contains(p.conf.Routes[i].AllowOrigin, origin)
		},
	}
	if p.conf.Proxy.ClientKey.IsZero() {
		return rules, nil
	}
	key, err := p.configSecrets.wrap(p.conf.Proxy.ClientKey.Resolve)()
	if err != nil {
		return rules, err
	}
	rules.KeySum = gate.KeySum(key.Reveal())
	return rules, nil
}

// present is the address to which the route sends its requests now.
func (l *pipeline) present(name string) string {
	i := slices.IndexFunc(l.routes, func(r console.Route) bool { return r.Name == name })
	if route := l.routes[i]; route.Present == nil {
		return route.Upstream
	}
	return l.routes[i].Present()
}

// directives joins the downchannel of a route, or where none is named the first
// that is kept; nil = there is none.
func (l *pipeline) directives(ctx context.Context, route string) <-chan avs.ReceivedDirective {
	for _, r := range l.routes {
		if channel := l.channels[r.Name]; channel != nil && (route == "" || route == r.Name) {
			return channel.Subscribe(ctx)
		}
	}
	return nil
}

// close ends what the handler left open.
func (l *pipeline) close() {
	cut, cancel := context.WithCancel(context.Background())
	cancel()
	_ = l.tunnels.Drain(cut) // says that it had to cut, which was the point
	l.handler.Unrouted.Close()
	for _, end := range slices.Backward(l.closers) {
		end()
	}
}

// loopbackAllowed reports whether all who may use the proxy may use this machine's loopback as its user, too: programs that
// listen there, the console and the login's callback among them, take a tunnel for that user's.
func loopbackAllowed(conf *config.Config) bool {
	for _, route := range conf.Routes {
		if !localOnly(route.Listen) {
			return false
		}
	}
	return localOnly(conf.Proxy.Listen) && len(conf.Proxy.AllowUsers) == 0 && conf.Proxy.ClientKey.IsZero()
}

// localOnly reports whether only this machine's programs reach the listeners.
func localOnly(listen []string) bool {
	return !slices.ContainsFunc(listen, func(addr string) bool {
		host, _, err := net.SplitHostPort(addr)
		ip, parsed := netip.ParseAddr(host)
		local := host == "localhost" || (parsed == nil && ip.IsLoopback())
		return !strings.HasPrefix(addr, "unix:") && (err != nil || !local)
	})
}
