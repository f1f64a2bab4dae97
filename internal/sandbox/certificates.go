package sandbox

import (
	"crypto/tls"
	"errors"
	"slices"
	"time"

	"avsproxy/internal/certs"
	"avsproxy/internal/sandbox/faults"
)

const leafLifetime = 365 * 24 * time.Hour // a shorter one gains nothing: each start makes a new root

// certificates are the good certificate, and those that faults show instead of it.
type certificates struct {
	faults  *faults.Set
	good    *tls.Certificate
	byFault map[string]*tls.Certificate
}

func newCertificates(authority *certs.Authority, set *faults.Set) (*certificates, error) {
	names := []string{"localhost", "127.0.0.1", "::1", CapabilitiesHost}
	good, err1 := authority.Leaf(leafLifetime, names...)
	expired, err2 := authority.Leaf(-time.Minute, names...)
	other, err3 := authority.Leaf(leafLifetime, "another.localhost")
	byFault := map[string]*tls.Certificate{"tls-expired": expired, "tls-wrong-name": other}
	return &certificates{set, good, byFault}, errors.Join(err1, err2, err3)
}

// config negotiates one of the protocols. A client that offers none of them still
// completes the handshake; the service closes its connection later. A fault turns off
// resumption too, because a resumed session would not show the certificate.
func (c *certificates) config(protocols ...string) *tls.Config {
	return &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		config := &tls.Config{Certificates: []tls.Certificate{*c.good}, MinVersion: tls.VersionTLS12}
		if slices.ContainsFunc(protocols, func(name string) bool { return slices.Contains(hello.SupportedProtos, name) }) {
			config.NextProtos = protocols
		}
		for _, f := range c.faults.Strike(faults.Handshake) {
			config.Certificates, config.SessionTicketsDisabled = []tls.Certificate{*c.byFault[f.Name]}, true
		}
		return config, nil
	}}
}
