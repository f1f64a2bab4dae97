package sandbox

import (
	"crypto/tls"
	"slices"
	"time"

	"avsproxy/internal/certs"
	"avsproxy/internal/sandbox/faults"
)

const (
	leafLife  = 365 * 24 * time.Hour // the root is made anew at each start, so nothing is gained by less
	wrongName = "another.localhost"
)

// papers are the certificates that a sandbox has: the good one, and two that
// faults show in its place.
type papers struct {
	faults               *faults.Set
	good, other, expired *tls.Certificate
}

func newPapers(authority *certs.Authority, set *faults.Set) (p *papers, err error) {
	p = &papers{faults: set}
	names := []string{"localhost", "127.0.0.1", "::1", CapabilitiesHost}
	if p.good, err = authority.Leaf(leafLife, names...); err != nil {
		return nil, err
	}
	if p.expired, err = authority.Leaf(-time.Minute, names...); err != nil {
		return nil, err
	}
	if p.other, err = authority.Leaf(leafLife, wrongName); err != nil {
		return nil, err
	}
	return p, nil
}

// config agrees on one of the protocols. With clients that offer none of them it
// agrees on nothing, instead of refusing them: it is for the engine to disappoint
// them.
func (p *papers) config(protocols ...string) *tls.Config {
	usual := &tls.Config{Certificates: []tls.Certificate{*p.good}, MinVersion: tls.VersionTLS12, NextProtos: protocols}
	config := usual.Clone()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		chosen := usual.Clone()
		if !slices.ContainsFunc(protocols, func(name string) bool { return slices.Contains(hello.SupportedProtos, name) }) {
			chosen.NextProtos = nil
		}
		p.misbehave(chosen)
		return chosen, nil
	}
	return config
}

// misbehave lets a fault exchange the certificate. A resumed session would not
// show it, so there is none.
func (p *papers) misbehave(chosen *tls.Config) {
	for _, f := range p.faults.Strike(faults.Handshake) {
		shown := p.other
		if f.Name == "tls-expired" {
			shown = p.expired
		}
		chosen.Certificates, chosen.SessionTicketsDisabled = []tls.Certificate{*shown}, true
	}
}
