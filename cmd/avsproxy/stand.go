package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"

	"avsproxy/internal/config"
	"avsproxy/internal/sandbox"
	"avsproxy/tokens"
)

// A stand says where the sandbox is reached that stands in for Amazon. A running
// "serve" writes it into run.json, so that other commands find its sandbox.
type stand struct {
	LWA string `json:"lwa"`
	AVS string `json:"avs"`
	CA  string `json:"ca"` // its root certificate, PEM
}

var errNoSandbox = errors.New("sandbox = true, and no sandbox is running")

func (s *stand) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(s.CA))
	return pool
}

// client is registered at the sandbox, whatever client the configuration has at
// Amazon; the parameters that say what is asked for stay.
func (s *stand) client(conf config.Credential, redirectURL string) *tokens.Client {
	if conf.ProductID == "" {
		conf.ProductID = "sandbox_product"
	}
	if conf.DeviceSerialNumber == "" {
		conf.DeviceSerialNumber = "1"
	}
	return &tokens.Client{
		ID:          sandbox.ClientID,
		Secret:      func() (tokens.Secret, error) { return sandbox.ClientSecret, nil },
		AuthURL:     s.LWA + "/ap/oa",
		TokenURL:    s.LWA + "/auth/o2/token",
		DeviceURL:   s.LWA + "/auth/O2/create/codepair",
		RedirectURL: redirectURL,
		Scopes:      conf.Scopes,
		AuthParams:  authParams(conf, tokens.Provider{}),
		TokenParams: conf.TokenParams,

		CodeBasedLinking: true,

		HTTP: httpClient(s.roots(), nil),
	}
}

// upstream is where a route's requests go: the configured upstream, or the
// sandbox in its place.
func (p *program) upstream(route config.Route) (*url.URL, *x509.CertPool, error) {
	if p.stand != nil {
		origin, err := url.Parse(p.stand.AVS)
		return origin, p.stand.roots(), err
	}
	origin, err := url.Parse(route.Upstream)
	if err != nil {
		return nil, nil, fmt.Errorf("route %s: upstream: %w", route.Name, err)
	}
	roots, err := loadRoots(route.CAFile)
	return origin, roots, err
}

// standIf is a sandbox that is not there, for looking without touching.
func standIf(sandboxed bool) *stand {
	if sandboxed {
		return &stand{}
	}
	return nil
}
