// Package app makes a running server of a configuration: it builds the parts, listens,
// serves and shuts down.
package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/suggest"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// A Program is what the configuration describes, built but not started: it has
// touched neither the network nor the store.
type Program struct {
	env   *Environment
	conf  *config.Config
	store tokens.Store
	// sandbox is the sandbox in Amazon's place; nil = the real endpoints.
	sandbox     *api.SandboxEndpoints
	consolePort string         // "0" = not known before the console listens
	proxy       proxyFunc      // on the way to upstreams and providers
	users       userAccess     // who may connect; the zero value is everybody
	routePorts  map[string]int // see Resolved
	// credentials are those that routes use, in the order of the routes, then the
	// others by name.
	credentials   []*Credential
	renewals      map[string]chan struct{} // by the provider, a place for each at once
	configSecrets secretSet
}

// renewalsOf are the places for renewals at the provider of a credential.
func (p *Program) renewalsOf(c config.Credential) chan struct{} {
	provider := cmp.Or(c.TokenURL, c.Issuer, c.Provider)
	if provider == "" {
		return nil // there is no provider to protect
	}
	if p.renewals[provider] == nil {
		p.renewals[provider] = make(chan struct{}, renewalsAtOnce)
	}
	return p.renewals[provider]
}

// renewalsAtOnce keeps hundreds of credentials that end together from calling their provider, and a
// shared store, all at the same moment.
const renewalsAtOnce = 16

// A Resolved is what is known when a program starts, and not from its configuration.
type Resolved struct {
	Sandbox     *api.SandboxEndpoints // nil = the real endpoints
	ConsolePort string                // empty = the configured one
	MemoryStore bool                  // whatever store is configured
	RoutePorts  map[string]int        // of routes' own listeners, by their index; nil = the configured ones
}

// Build makes the parts.
func Build(e *Environment, conf *config.Config, r Resolved) (*Program, error) {
	p := &Program{env: e, conf: conf, renewals: map[string]chan struct{}{}, routePorts: r.RoutePorts, sandbox: r.Sandbox, consolePort: cmp.Or(r.ConsolePort, PortOf(conf.Console.Listen))}
	if p.routePorts == nil {
		p.routePorts = configuredPorts(conf)
	}
	p.configSecrets.addConfig(conf)
	p.configSecrets.AddProxies(e.Getenv)
	if !conf.Sandbox { // which is on this machine
		var err error
		if p.proxy, err = upstreamProxy(e); err != nil {
			return nil, err
		}
	}
	if r.MemoryStore {
		p.store = &tokens.MemoryStore{}
	} else {
		var err error
		if p.store, err = newStore(e, conf); err != nil {
			return nil, err
		}
	}
	for _, name := range credentialNames(conf) {
		credential, err := newCredential(p, conf.Credentials[name])
		if err != nil {
			return nil, err
		}
		p.credentials = append(p.credentials, credential)
	}
	return p, nil
}

func newStore(e *Environment, conf *config.Config) (tokens.Store, error) {
	switch {
	case conf.Store.Kind == "memory":
		return &tokens.MemoryStore{}, nil
	case conf.Sandbox: // its tokens are worth nothing, and the system's keyring is not to be littered
		return tokens.FileStore{Dir: sandboxFolder(conf), Waiting: e.warnLockHeld}, nil
	case conf.Store.Shared():
		return sharedStore(e, conf)
	case conf.Store.Kind == "keyring":
		// The name keeps apart what belongs to different folders, and what people put into the keyring themselves.
		return &tokens.KeyringStore{
			Dir: conf.Store.Path, Service: "avsproxy logins of " + conf.Store.Path,
			Recovered: e.warnRecovered, Waiting: e.warnLockHeld,
		}, nil
	}
	return tokens.FileStore{Dir: conf.Store.Path, Recovered: e.warnRecovered, Waiting: e.warnLockHeld}, nil
}

// credentialNames are those that routes use, in their order, then the rest. In
// the sandbox the rest is left out: their real providers are not to be touched.
func credentialNames(conf *config.Config) []string {
	var names []string
	for _, route := range conf.Routes {
		if route.Credential != "" && !slices.Contains(names, route.Credential) {
			names = append(names, route.Credential)
		}
	}
	var rest []string
	for name := range conf.Credentials {
		if !conf.Sandbox && !slices.Contains(names, name) {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	return append(names, rest...)
}

// Find returns the named credential; "" means the default route's.
func (p *Program) Find(name string) (*Credential, error) {
	name, err := CredentialName(p.conf, name)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(p.credentials, func(c *Credential) bool { return c.Conf.Name == name })
	return p.credentials[i], nil
}

// CredentialName checks the name of a credential; "" is the one of the default route.
func CredentialName(conf *config.Config, name string) (string, error) {
	if name == "" {
		if name = conf.Routes[0].Credential; name == "" {
			return "", terminal.Usage(fmt.Errorf("the default route %q has no credential", conf.Routes[0].Name), "name the credential you mean")
		}
	}
	names := credentialNames(conf)
	if slices.Contains(names, name) {
		return name, nil
	}
	hint := "there are " + strings.Join(names, ", ")
	if nearest := suggest.Nearest(name, names); nearest != "" {
		hint = "did you mean " + nearest + "?"
	}
	return "", terminal.Usage(fmt.Errorf("the configuration has no credential %q", name), hint)
}

func (p *Program) consoleCredentials() []console.Credential {
	var list []console.Credential
	for _, c := range p.credentials {
		list = append(list, c.consoleView())
	}
	return list
}

// AwaitRenewals waits for renewals under way, and says so: the answer may hold the only
// refresh token that is left.
func (p *Program) AwaitRenewals() {
	for _, credential := range p.credentials {
		said := time.AfterFunc(renewalNoticeAfter, func() {
			if credential.Source.Status().Renewing {
				p.env.SayAwaitingRenewal(credential.Conf.Name)
			}
		})
		_ = credential.Source.AwaitRenewal(context.Background()) // which ends by itself
		said.Stop()
	}
}

// renewalNoticeAfter is for how long a wait needs no word.
const renewalNoticeAfter = 200 * time.Millisecond

// warnOfSharedRedirects warns of providers of unknown issuer that share a redirect URL: one of
// them could forward a login to the other, and get its code (RFC 9700 section 4.4).
func (p *Program) warnOfSharedRedirects() {
	seen := map[string]*Credential{} // by redirect URL
	for _, c := range p.credentials {
		if c.Conf.Grant != "authorization_code" || c.Client.Issuer != "" {
			continue
		}
		first := seen[c.Client.RedirectURL]
		if first == nil {
			seen[c.Client.RedirectURL] = c
			continue
		}
		if first.Client.TokenURL != c.Client.TokenURL {
			p.env.UI.Warn(fmt.Sprintf("logins to %s and to %s come back to the same redirect_url: if one of the two providers were hostile, it could get a code of the other's", first.Conf.Name, c.Conf.Name),
				"give each a redirect_url with a path of its own, and register it there")
		}
	}
}

// warnOfPKCE says each time that a login is less protected than it could be.
func (p *Program) warnOfPKCE(c *Credential) {
	if c.Conf.PKCE == "off" && c.Conf.Grant == "authorization_code" {
		p.env.UI.Warn("logins to "+c.Conf.Name+" go without PKCE: whoever sees the code of a login on its way, and has the client's secret where there is one, can use it",
			"take out pkce = \"off\" unless the provider refuses code_verifier")
	}
}

// LoginCommand is what a person types to log in to a credential.
func (p *Program) LoginCommand(c *Credential) string {
	return terminal.LoginCommand(c.Conf.Name, p.conf.Routes[0].Credential, c.Imports())
}
