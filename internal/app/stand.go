package app

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/sandbox"
	"avsproxy/tokens"
)

var ErrNoSandbox = errors.New("sandbox = true, and no sandbox is running")

// standClient is registered at the sandbox, whatever client the configuration has at
// Amazon; the parameters that say what is asked for stay.
func standClient(s *api.Stand, conf config.Credential, redirectURL string) *tokens.Client {
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

		HTTP: httpClient(s.Roots(), nil),
	}
}

// upstream is where a route's requests go: the configured upstream, or the
// sandbox in its place.
func (p *Program) upstream(route config.Route) (*url.URL, *x509.CertPool, error) {
	if p.stand != nil {
		origin, err := url.Parse(p.stand.AVS)
		return origin, p.stand.Roots(), err
	}
	origin, err := url.Parse(route.Upstream)
	if err != nil {
		return nil, nil, fmt.Errorf("route %s: upstream: %w", route.Name, err)
	}
	roots, err := loadRoots(route.CAFile)
	return origin, roots, err
}

// StandIf is a sandbox that is not there, for looking without touching.
func StandIf(sandboxed bool) *api.Stand {
	if sandboxed {
		return &api.Stand{}
	}
	return nil
}
