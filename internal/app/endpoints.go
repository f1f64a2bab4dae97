package app

import "avsproxy/internal/doctor"

// Upstreams are where the routes send their requests.
func (p *Program) Upstreams() (all []doctor.Upstream, err error) {
	for _, route := range p.conf.Routes {
		origin, roots, err := routeUpstream(p, route)
		if err != nil {
			return nil, err
		}
		u := doctor.Upstream{Route: route.Name, Origin: origin, Roots: roots, SingleConnection: route.SingleConnection, Proxy: p.proxy}
		if u.Certificate, err = clientCertificate(route); err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

// Providers are where the credentials get their tokens.
func (p *Program) Providers() (all []doctor.Provider) {
	for _, c := range p.credentials {
		if c.Client != nil {
			all = append(all, doctor.Provider{Credential: c.Conf.Name, Grant: c.Conf.Grant, Client: c.Client})
		}
	}
	return all
}

// Credentials are those that routes use, then the others.
func (p *Program) Credentials() []*Credential { return p.credentials }
