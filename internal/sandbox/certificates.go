package sandbox

import (
	"crypto/tls"
	"errors"
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
	names := []string{"localhost", "127.0.0.1", "::1", CapabilitiesHost}
	good, err1 := authority.Leaf(leafLifetime, names...)
	expired, err2 := authority.Leaf(-time.Minute, names...)
	other, err3 := authority.Leaf(leafLifetime, wrongName)
	return &certificates{set, good, other, expired}, errors.Join(err1, err2, err3)
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
