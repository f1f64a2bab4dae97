package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/durable"
	"avsproxy/internal/guard"
	"avsproxy/internal/problem"
	"avsproxy/internal/tunnel"
	"avsproxy/proxy"
)

// A pipeline is the way of every request, from the door to the upstreams.
type pipeline struct {
	dialer    *tunnel.Dialer
	dummy     proxy.Dummy // the zero value: no route stands in for a token endpoint
	handler   http.Handler
	inbox     *tunnel.Inbox // what came inside CONNECT, for the server of handler to serve as well
	tunnels   *tunnel.Group
	others    *proxy.Others
	routes    []console.Route
	ends      []func() // of what routes do by themselves
	upstreams []*proxy.Upstream
	keepers   []func(context.Context)       // of single connections and of downchannels
	channels  map[string]*proxy.Downchannel // by route, those that are kept
	observed  map[string]http.Handler       // by route, what stands behind the guard
}

// watcher is who hears about what goes through the pipeline.
type watcher struct {
	began   func(route string) (done func(proxy.Exchange))
	record  func(*http.Request, proxy.Exchange) proxy.Recording
	refused func(*http.Request, problem.Problem)
	// connection returns who hears about the connection that a route keeps to.
	connection func(route, host string) func(proxy.LinkEvent, error)
	metrics    *console.Metrics
	log        *slog.Logger
	errorLog   *log.Logger
}

// dialControl is what a [net.Dialer] asks before it dials.
type dialControl = func(ctx context.Context, network, address string, c syscall.RawConn) error

// pipeline joins the parts:
//
//	guard(counted(split(
//	    route(observe(standIn(allow(downchannel(forward(habits(inject(upstream)))))))),
//	    intercept,         a CONNECT to a route's host: its inside comes to the guard again
//	    observe(others)))) a forward request for another host, where others = "tunnel"
//
// What opens the inspector is withheld behind the guard.
// The observer stands before the injector, so it never holds a token. The stand-in
// is there for routes with token_endpoint alone, the downchannel where it is kept, the habits for routes to AVS.
func (p *program) pipeline(watch watcher, loginURL func(credential string) string, around surroundings) (*pipeline, error) {
	dialer := &tunnel.Dialer{Own: around.own, Loopback: ownersOnly(p.conf.Proxy)}
	line := &pipeline{inbox: tunnel.NewInbox(), tunnels: &tunnel.Group{}, dialer: dialer, channels: map[string]*proxy.Downchannel{}, observed: map[string]http.Handler{}}
	table, err := routeTable(p.conf)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(p.conf.Routes, func(r config.Route) bool { return r.TokenEndpoint }) {
		line.dummy = proxy.NewDummy() // one for all: clients ask at one route and use what they get at another
	}
	var handlers []http.Handler
	for _, route := range p.conf.Routes {
		handler, err := p.addRoute(line, route, watch, loginURL(route.Credential))
		if err != nil {
			return nil, err
		}
		handlers = append(handlers, handler)
		line.observed[route.Name] = handler
	}
	line.others = proxy.NewOthers(proxy.OthersOptions{Dial: dialer.Dial, Tunnels: line.tunnels, Most: tunnelsMost(openFiles()), ErrorLog: watch.errorLog})
	rules, err := p.rules(table)
	if err != nil {
		return nil, asUsage(err)
	}
	refusals := &proxy.Refusals{Record: watch.record}
	refused := func(r *http.Request, p problem.Problem) {
		refusals.Refused(r, p)
		watch.refused(r, p)
	}
	line.handler = guard.Guard(rules, refused, around.counted(busy("20,000 requests are under way, and more wait", refused), console.Withhold(proxy.Split(table,
		proxy.Route(table, handlers),
		tunnel.Intercept(line.inbox, around.place, busy("as many connections are open as there may be", refused)),
		p.observe(watch, "", line.others)))))
	return line, nil
}

// addRoute joins the parts of one route.
func (p *program) addRoute(line *pipeline, route config.Route, watch watcher, loginURL string) (http.Handler, error) {
	reach, err := p.reach(route, watch, line.dialer.NotOwn)
	if err != nil {
		return nil, err
	}
	origin := reach.Origin
	leg := func(origin *url.URL) (proxy.Leg, error) { return p.leg(line, route, reach, origin) }
	first, err := leg(origin)
	if err != nil {
		return nil, err
	}
	send, now := p.habits(line, route, watch, first, leg)
	handler := proxy.Forward(proxy.ForwardOptions{
		Origin: origin, Send: send, Headers: route.Headers, Strip: route.Strip, WebSocket: route.WebSocket,
		RewriteLocation: route.RewriteLocation, LoginURL: loginURL, ErrorLog: watch.errorLog,
	})
	if route.Downchannel == "keep" {
		channel := downchannel(route, origin, send, loginURL, watch.log)
		line.channels[route.Name] = channel
		line.keepers = append(line.keepers, channel.Run)
		handler = channel.Serve(handler)
	}
	handler = proxy.Allow(route.Allow, origin.EscapedPath(), handler)
	if route.TokenEndpoint {
		handler = proxy.StandIn(p.standInOptions(route, first.Inject, loginURL), handler)
	}
	watch.metrics.Route(route.Name)
	line.upstreams = append(line.upstreams, first.Upstream)
	line.routes = append(line.routes, console.Route{Name: route.Name, Upstream: origin.String(), Credential: route.Credential, Present: now.present, Trouble: now.problem})
	return p.observe(watch, route.Name, handler), nil
}

func (p *program) observe(watch watcher, route string, next http.Handler) http.Handler {
	return proxy.Observe(proxy.ObserveOptions{
		Route: route, Began: watch.began, Record: watch.record, DecisionHeader: p.conf.Proxy.DecisionHeader,
	}, next)
}

// leg is inject(upstream): the last part of a route, to the configured origin or the
// one it moves to.
func (p *program) leg(line *pipeline, route config.Route, reach proxy.UpstreamOptions, origin *url.URL) (proxy.Leg, error) {
	reach.Origin = origin
	upstream := proxy.NewUpstream(reach)
	inject, err := p.injector(route, origin, upstream)
	if err != nil {
		return proxy.Leg{}, err
	}
	inject.Dummy = line.dummy
	return proxy.Leg{Inject: inject, Upstream: upstream}, nil
}

// routeHostsHint says where a forwarded port is named.
const routeHostsHint = "hosts of the route, in config.toml"

// rules are what the proxy asks of every request.
func (p *program) rules(table *proxy.Table) (guard.Rules, error) {
	rules := guard.Rules{
		Users: p.users.proxy, UsersHint: "name that user in allow_users, in [proxy] of config.toml; or set client_key there and present it",
		Host: table.Knows, Names: table.Names(), Others: p.conf.Proxy.Others == "tunnel",
		HostsHint: routeHostsHint,
		Origin: func(a guard.Authority, d guard.Door, origin string) bool {
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
	rules.KeySum = guard.KeySum(key.Reveal())
	return rules, nil
}

// close ends what the handler left open.
func (l *pipeline) close() {
	cut, cancel := context.WithCancel(context.Background())
	cancel()
	_ = l.tunnels.Drain(cut) // says that it had to cut, which was the point
	l.others.Close()
	for _, end := range slices.Backward(l.ends) {
		end()
	}
	for _, upstream := range l.upstreams {
		upstream.Close()
	}
}

// ownersOnly reports whether all who may use the proxy may use this machine's loopback as its user, too: programs that
// listen there, the console and the login's callback among them, take a tunnel for that user's.
func ownersOnly(conf config.Proxy) bool {
	return localOnly(conf.Listen) && len(conf.AllowUsers) == 0 && conf.ClientKey.IsZero()
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

// present is the address to which the route sends its requests now.
func (l *pipeline) present(name string) string {
	i := slices.IndexFunc(l.routes, func(r console.Route) bool { return r.Name == name })
	if route := l.routes[i]; route.Present == nil {
		return route.Upstream
	}
	return l.routes[i].Present()
}

// reach says how a route's upstream is reached, and any other that it moves to.
func (p *program) reach(route config.Route, watch watcher, control dialControl) (proxy.UpstreamOptions, error) {
	origin, roots, err := p.upstream(route)
	if err != nil {
		return proxy.UpstreamOptions{}, err
	}
	options := proxy.UpstreamOptions{
		Origin:           origin,
		Roots:            roots,
		SingleConnection: route.SingleConnection,
		PingInterval:     route.PingInterval,
		DialTimeout:      route.DialTimeout,
		HeaderTimeout:    route.HeaderTimeout,
		Proxy:            p.proxy,
		Control:          control,
		Connections:      func(delta int) { watch.metrics.Connections(route.Name, delta) },
	}
	if route.SingleConnection {
		options.Told = watch.connection(route.Name, origin.Host)
	}
	if route.TLSCert != "" {
		pair, err := readPair(route.TLSCert, route.TLSKey)
		if err != nil {
			return options, &exitError{exitUsage, fmt.Errorf("route %s: tls_cert and tls_key: %w", route.Name, err), "both are files in PEM form that belong together"}
		}
		options.Certificate = &pair
	}
	return options, nil
}

func readPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := durable.ReadFile(certFile, pemMost)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := durable.ReadFile(keyFile, pemMost)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

func (p *program) injector(route config.Route, origin *url.URL, upstream *proxy.Upstream) (*proxy.Injector, error) {
	inject := &proxy.Injector{
		Next: upstream, Origin: origin,
		ClientAuth: proxy.ClientAuth(route.ClientAuth), HealOn: route.HealOn,
	}
	if route.Credential == "" {
		return inject, nil
	}
	credential, err := p.find(route.Credential)
	if err != nil {
		return nil, err
	}
	inject.Source = credential.source
	inject.Header, inject.Format = credential.header(route)
	return inject, nil
}

// standInOptions are for a route that has a credential.
func (p *program) standInOptions(route config.Route, inject *proxy.Injector, loginURL string) proxy.StandInOptions {
	options := proxy.StandInOptions{Dummy: inject.Dummy, Source: inject.Source, LoginURL: loginURL}
	credential, err := p.find(route.Credential)
	if err != nil {
		return options
	}
	options.TokenURL = credential.conf.TokenURL
	if options.TokenURL == "" && credential.client != nil {
		options.TokenURL = credential.client.TokenURL
	}
	return options
}

// header is the route's choice of field and format, or else the credential's.
func (c *credential) header(route config.Route) (header, format string) {
	header, format = c.conf.Header, c.conf.Format
	if route.Header != "" {
		header = route.Header
	}
	if route.Format != "" {
		format = route.Format
	}
	return header, format
}
