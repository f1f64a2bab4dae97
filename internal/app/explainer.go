package app

import (
	"net/url"
	"slices"

	"avsproxy/internal/config"
	"avsproxy/internal/explain"
	"avsproxy/internal/gate"
	"avsproxy/proxy"
	"avsproxy/tokens"
)

// NewExplainer is for a program that does not serve; who serves sets what it knows
// better.
func NewExplainer(p *Program, addresses []string, self string) (*explain.Explainer, error) {
	table, err := p.routeTable()
	if err != nil {
		return nil, err
	}
	users, err := newUsers(p.conf)
	if err != nil {
		return nil, err
	}
	return &explain.Explainer{
		Conf: p.conf, Table: table, Listeners: explain.ListenAddrs(addresses), Callers: users.describe(self).Proxy,
		Rules: gate.Rules{Host: table.Knows, Names: table.Names(), Others: p.conf.Proxy.Others == "tunnel", HostsHint: routeHostsHint},
		Credential: func(name string) (explain.Credential, bool) {
			return credentialFacts(p, name, (*tokens.Source).Peek)
		},
		Origin: func(route config.Route) *url.URL { return configuredOrigin(p, route) },
		Policy: func(route config.Route) proxy.Policy { return routePolicy(p, route, configuredOrigin(p, route)) },
	}, nil
}

// ListenedAt are the addresses of a configuration that requests come in by.
func ListenedAt(conf *config.Config) []string {
	all := conf.Proxy.Listen
	for _, route := range conf.Routes {
		all = slices.Concat(all, route.Listen)
	}
	return all
}

// credentialFacts describes a credential; status reads its state.
func credentialFacts(p *Program, name string, status func(*tokens.Source) tokens.Status) (facts explain.Credential, ok bool) {
	credential, err := p.Find(name)
	if err != nil {
		return facts, false // which crosschecks of the configuration rule out
	}
	facts = explain.Credential{Status: status(credential.Source), NonInteractive: credential.NonInteractive(), Command: p.LoginCommand(credential)}
	if p.consolePort != "0" {
		facts.Page = loginURL(p.conf, p.consolePort, name)
	}
	return facts, true
}

func configuredOrigin(p *Program, route config.Route) *url.URL {
	origin, _, err := routeUpstream(p, route)
	if err != nil { // the configuration was checked, but for the files with roots
		origin, _ = url.Parse(route.Upstream)
	}
	return origin
}

// serverExplainer is for a program that serves.
func serverExplainer(s *Server) (*explain.Explainer, error) {
	e, err := NewExplainer(s.program, addresses(s.allProxyListeners()), "the user it runs as")
	if err != nil {
		return nil, err
	}
	e.Credential = func(name string) (explain.Credential, bool) {
		return credentialFacts(s.program, name, (*tokens.Source).Status)
	}
	e.Origin = func(route config.Route) *url.URL {
		if now, err := url.Parse(s.pipeline.present(route.Name)); err == nil {
			return now
		}
		return configuredOrigin(s.program, route)
	}
	e.Spoken = func(route string) string { return lastUpstreamProto(s, route) }
	return e, nil
}

// lastUpstreamProto is the upstream's protocol in the latest exchange of the route that had one.
func lastUpstreamProto(s *Server, route string) string {
	if s.capture.recorder == nil {
		return ""
	}
	for exchange := range s.capture.recorder.Newest() {
		if exchange.Route == route && exchange.UpstreamProto != "" {
			return exchange.UpstreamProto
		}
	}
	return ""
}
