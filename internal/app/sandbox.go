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

// sandboxClient is registered at the sandbox, whatever client the configuration has at
// Amazon; the parameters that say what is asked for stay.
func sandboxClient(s *api.SandboxEndpoints, conf config.Credential, redirectURL string) *tokens.Client {
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

// routeUpstream is where a route's requests go: the configured upstream, or the
// sandbox in its place.
func routeUpstream(p *Program, route config.Route) (*url.URL, *x509.CertPool, error) {
	if p.sandbox != nil {
		origin, err := url.Parse(p.sandbox.AVS)
		return origin, p.sandbox.Roots(), err
	}
	origin, err := url.Parse(route.Upstream)
	if err != nil {
		return nil, nil, fmt.Errorf("route %s: upstream: %w", route.Name, err)
	}
	roots, err := loadRoots(route.CAFile)
	return origin, roots, err
}

// StoppedSandbox is a sandbox that is not there, for looking without touching.
func StoppedSandbox(sandboxed bool) *api.SandboxEndpoints {
	if sandboxed {
		return &api.SandboxEndpoints{}
	}
	return nil
}
