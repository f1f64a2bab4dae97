package app

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/durable"
	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/terminal"
	"avsproxy/internal/upstream"
	"avsproxy/proxy"
)

// A routeBuilder joins the parts of one route, and adds what the route does by itself to
// the pipeline.
type routeBuilder struct {
	program   *Program
	pipeline  *pipeline
	observers observers
	route     config.Route
	loginURL  string
}

func (b *routeBuilder) build() (*proxy.Route, error) {
	options, err := b.upstreamOptions()
	if err != nil {
		return nil, err
	}
	credential, err := b.credential()
	if err != nil {
		return nil, err
	}
	route := &proxy.Route{
		Policy:          routePolicy(b.program, b.route, options.Origin),
		Credential:      credential,
		Origin:          options.Origin,
		TokenEndpoint:   &proxy.TokenEndpoint{Placeholder: credential.Placeholder, Source: credential.Source},
		RewriteLocation: b.route.RewriteLocation, LoginURL: b.loginURL, ErrorLog: b.observers.errorLog,
	}
	state := b.addUpstream(route, options)
	if route.KeepsDownchannel {
		channel := b.downchannel(route)
		b.pipeline.channels[route.Name] = channel
		b.pipeline.background = append(b.pipeline.background, channel.Run)
		route.Downchannel = channel
	}
	b.observers.metrics.Route(route.Name)
	lastProbe := b.addProbe(route)
	b.pipeline.routes = append(b.pipeline.routes, console.Route{
		Route:   api.Route{Name: route.Name, Upstream: route.Origin.String(), Credential: b.route.Credential},
		Present: state.present, FindProblem: state.problem, LastProbe: lastProbe,
	})
	return route.Start(), nil
}

// routePolicy is what a route decides by heads alone.
func routePolicy(p *Program, route config.Route, origin *url.URL) proxy.Policy {
	return proxy.Policy{
		Name: route.Name, Allow: route.Allow, Base: origin.EscapedPath(),
		AnswersTokens: route.TokenEndpoint, TokenURL: tokenURL(p, route), KeepsDownchannel: route.Downchannel == "keep",
		Headers: route.Headers, Strip: route.Strip, WebSocket: route.WebSocket,
	}
}

func (b *routeBuilder) credential() (proxy.Credential, error) {
	c := proxy.Credential{
		Placeholder: b.pipeline.placeholder, ClientAuth: proxy.ClientAuth(b.route.ClientAuth), HealOn: b.route.HealOn,
	}
	if b.route.Credential == "" {
		return c, nil
	}
	credential, err := b.program.Find(b.route.Credential)
	if err != nil {
		return c, err
	}
	c.Source = credential.Source
	c.Header, c.Format = credential.header(b.route)
	return c, nil
}

// upstreamOptions says how a route's upstream is reached, and any other that it moves to.
func (b *routeBuilder) upstreamOptions() (upstream.Options, error) {
	route, metrics := b.route, b.observers.metrics
	origin, roots, err := routeUpstream(b.program, route)
	if err != nil {
		return upstream.Options{}, err
	}
	options := upstream.Options{
		Origin:           origin,
		Roots:            roots,
		SingleConnection: route.SingleConnection,
		PingInterval:     route.PingInterval,
		DialTimeout:      route.DialTimeout,
		HeaderTimeout:    route.HeaderTimeout,
		Proxy:            b.program.proxy,
		Group:            b.pipeline.group,
		Standard:         !b.pipeline.relays,
		ErrorLog:         b.observers.errorLog,
		Control:          b.pipeline.dialer.NotOwn,
		Connections:      func(delta int) { metrics.Connections(route.Name, delta) },
	}
	if route.SingleConnection {
		options.OnEvent = b.observers.connection(route.Name, origin.Host)
	}
	options.Certificate, err = clientCertificate(route)
	return options, err
}

// clientCertificate is for mutual TLS; nil = the route has none.
func clientCertificate(route config.Route) (*tls.Certificate, error) {
	if route.TLSCert == "" {
		return nil, nil
	}
	pair, err := readPair(route.TLSCert, route.TLSKey)
	if err != nil {
		return nil, terminal.Usage(fmt.Errorf("route %s: tls_cert and tls_key: %w", route.Name, err), "both are files in PEM form that belong together")
	}
	return &pair, nil
}

func readPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := durable.ReadFile(certFile, MaxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := durable.ReadFile(keyFile, MaxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

// tokenURL is the token endpoint of a route's credential.
func tokenURL(p *Program, route config.Route) string {
	credential, err := p.Find(route.Credential)
	if err != nil {
		return ""
	}
	if credential.Conf.TokenURL == "" && credential.Client != nil {
		return credential.Client.TokenURL
	}
	return credential.Conf.TokenURL
}

// routeTable says which requests are a route's.
func (p *Program) routeTable() (*gate.Table, error) {
	table := &gate.Table{}
	for port, i := range p.routePorts {
		table.OwnPort(port, i)
	}
	for i, route := range p.conf.Routes {
		if err := table.Add(route.Name, routeHosts(route, table)...); err != nil {
			return nil, terminal.Usage(err, "give every host to one route only")
		}
		if len(route.Accounts) > 0 {
			accounts := gate.Accounts{Header: route.CredentialFrom.Header, Routes: route.Accounts, Default: route.Credential != ""}
			table.SetAccounts(i, accounts)
			accounts.Default, accounts.Own = true, true
			for _, own := range route.Accounts {
				table.SetAccounts(own, accounts)
			}
		}
	}
	return table, nil
}

// routeHosts are the further names of a route: the configured ones, and its
// upstream's own, also while the sandbox stands in for it. Of several routes to one
// host the first has its name.
func routeHosts(route config.Route, table *gate.Table) []string {
	upstream, err := url.Parse(route.Upstream)
	if err != nil {
		return route.Hosts
	}
	own := exchange.Authority{Host: strings.ToLower(upstream.Hostname())}
	name := own.Host
	if port := upstream.Port(); port != "" && port != "443" { // another port is another origin
		own.Port, name = port, net.JoinHostPort(own.Host, port)
	}
	if exchange.IsLocal(own.Host) || table.Knows(own, exchange.Listener{}) || slices.Contains(route.Hosts, name) {
		return route.Hosts
	}
	return append([]string{name}, route.Hosts...)
}
