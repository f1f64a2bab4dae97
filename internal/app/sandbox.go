package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

var ErrNoSandbox = errors.New("sandbox = true, and no sandbox is running")

// sandboxClient is registered at the sandbox, whatever client the configuration has at
// Amazon; the parameters that say what is asked for stay.
func sandboxClient(p *Program, conf config.Credential) *tokens.Client {
	s := p.sandbox
	if conf.ProductID == "" {
		conf.ProductID = "sandbox_product"
	}
	if conf.DeviceSerialNumber == "" {
		conf.DeviceSerialNumber = "1"
	}
	return &tokens.Client{
		ID:          sandbox.ClientID,
		Secret:      p.configSecrets.wrap(func() (tokens.Secret, error) { return sandbox.ClientSecret, nil }),
		AuthURL:     s.LWA + "/ap/oa",
		TokenURL:    s.LWA + "/auth/o2/token",
		DeviceURL:   s.LWA + "/auth/O2/create/codepair",
		RedirectURL: redirectURLOf(p, conf),
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

// loginToSandbox does what a person would do in a browser: it presses the login
// page's button and follows where that leads. The sandbox consents at once.
func loginToSandbox(ctx context.Context, s *Server) error {
	if s.sandbox == nil {
		return nil
	}
	client := http.Client{
		Transport: &http.Transport{Proxy: nil, TLSClientConfig: trustBoth(s), DisableKeepAlives: true},
		Timeout:   30 * time.Second,
	}
	for _, credential := range s.program.credentials {
		if !credential.Interactive() {
			continue
		}
		form := url.Values{"credential": {credential.Conf.Name}, "by": {"browser"}}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.console.Self+"/login", strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := client.Do(req)
		if err != nil {
			return terminal.Failed(errors.New("logging in to the sandbox: "+api.WithoutQuery(err)), "")
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return terminal.Failed(fmt.Errorf("logging in to the sandbox: the last page answered %d", resp.StatusCode), "see "+s.loginURL(credential.Conf.Name))
		}
	}
	return nil
}

// trustBoth is for the login to the sandbox: it meets our console and the sandbox.
func trustBoth(s *Server) *tls.Config {
	roots := s.sandbox.Roots()
	roots.AppendCertsFromPEM(s.roots.RootPEM())
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}
