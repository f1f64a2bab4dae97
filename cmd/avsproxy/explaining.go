package main

import (
	"net/url"

	"avsproxy/internal/config"
	"avsproxy/internal/guard"
	"avsproxy/proxy"
	"avsproxy/tokens"
)

// newExplainer is for a program that does not serve; who serves sets what it knows
// better.
func newExplainer(p *program, addresses []string, self string) (*explainer, error) {
	table, err := routeTable(p.conf)
	if err != nil {
		return nil, err
	}
	users, err := newUsers(p.conf)
	if err != nil {
		return nil, err
	}
	return &explainer{
		conf: p.conf, table: table, doors: proxyDoors(addresses), callers: users.told(self).Proxy,
		rules:      guard.Rules{Host: table.Knows, Names: table.Names(), Others: p.conf.Proxy.Others == "tunnel", HostsHint: routeHostsHint},
		credential: func(name string) (credentialFacts, bool) { return p.credentialFacts(name, (*tokens.Source).Peek) },
		origin:     p.configuredOrigin,
		tokenURL:   func(route config.Route) string { return p.standInOptions(route, &proxy.Injector{}, "").TokenURL },
	}, nil
}

// credentialFacts tells how a credential stands, by status.
func (p *program) credentialFacts(name string, status func(*tokens.Source) tokens.Status) (facts credentialFacts, ok bool) {
	credential, err := p.find(name)
	if err != nil {
		return facts, false // which crosschecks of the configuration rule out
	}
	facts = credentialFacts{status: status(credential.source), unasked: credential.unasked(), command: p.loginCommand(credential)}
	if portOf(p.conf.Console.Listen) != "0" {
		facts.page = loginURL(p.conf, name)
	}
	return facts, true
}

func (p *program) configuredOrigin(route config.Route) *url.URL {
	origin, _, err := p.upstream(route)
	if err != nil { // the configuration was checked, but for the files with roots
		origin, _ = url.Parse(route.Upstream)
	}
	return origin
}

// explainer is for a program that serves.
func (s *server) explainer() (*explainer, error) {
	e, err := newExplainer(s.program, addresses(s.proxyDoors), "the user it runs as")
	if err != nil {
		return nil, err
	}
	e.credential = func(name string) (credentialFacts, bool) {
		return s.program.credentialFacts(name, (*tokens.Source).Status)
	}
	e.origin = func(route config.Route) *url.URL {
		if now, err := url.Parse(s.line.present(route.Name)); err == nil {
			return now
		}
		return s.program.configuredOrigin(route)
	}
	e.spoken = s.spoken
	return e, nil
}

// spoken is the upstream's protocol in the latest exchange of the route that had one.
func (s *server) spoken(route string) string {
	if s.scribe.recorder == nil {
		return ""
	}
	for exchange := range s.scribe.recorder.Newest() {
		if exchange.Route == route && exchange.UpstreamProto != "" {
			return exchange.UpstreamProto
		}
	}
	return ""
}
