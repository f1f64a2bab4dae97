package sandbox

import (
	"crypto/tls"
	"slices"
	"time"

	"avsproxy/internal/certs"
	"avsproxy/internal/sandbox/faults"
)

const (
	leafLifetime = 365 * 24 * time.Hour // a shorter one gains nothing: each start makes a new root
	wrongName    = "another.localhost"
)

// certificates are the good certificate, and those that faults show instead of it.
type certificates struct {
	faults                   *faults.Set
	good, wrongName, expired *tls.Certificate
}

func newCertificates(authority *certs.Authority, set *faults.Set) (*certificates, error) {
	c := &certificates{faults: set}
	names := []string{"localhost", "127.0.0.1", "::1", CapabilitiesHost}
	var err error
	if c.good, err = authority.Leaf(leafLifetime, names...); err != nil {
		return nil, err
	}
	if c.expired, err = authority.Leaf(-time.Minute, names...); err != nil {
		return nil, err
	}
	if c.wrongName, err = authority.Leaf(leafLifetime, wrongName); err != nil {
		return nil, err
	}
	return c, nil
}

// config negotiates one of the protocols. A client that offers none of them still
// completes the handshake; the service closes its connection later.
func (c *certificates) config(protocols ...string) *tls.Config {
	config := &tls.Config{Certificates: []tls.Certificate{*c.good}, MinVersion: tls.VersionTLS12, NextProtos: protocols}
	forClient := config.Clone()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		chosen := forClient.Clone()
		if !slices.ContainsFunc(protocols, func(name string) bool { return slices.Contains(hello.SupportedProtos, name) }) {
			chosen.NextProtos = nil
		}
		c.applyFaults(chosen)
		return chosen, nil
	}
	return config
}

// applyFaults replaces the certificate if a fault strikes. It turns off resumption,
// because a resumed session would not show the certificate.
func (c *certificates) applyFaults(config *tls.Config) {
	for _, f := range c.faults.Strike(faults.Handshake) {
		shown := c.wrongName
		if f.Name == "tls-expired" {
			shown = c.expired
		}
		config.Certificates, config.SessionTicketsDisabled = []tls.Certificate{*shown}, true
	}
}
