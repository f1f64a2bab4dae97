package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/tokens"
)

// A program is what the configuration describes, built but not started: it has
// touched neither the network nor the store.
type program struct {
	conf  *config.Config
	store tokens.Store
	// stand is the sandbox in Amazon's place; nil = the real endpoints.
	stand *stand
	// credentials are those that routes use, in the order of the routes, then the
	// others by name.
	credentials []*credential
}

// build makes the parts. stand is where the sandbox is reached, where the
// configuration asks for one.
func build(conf *config.Config, stand *stand) (*program, error) {
	p := &program{conf: conf, stand: stand}
	p.store = newStore(conf)
	for _, name := range credentialNames(conf) {
		credential, err := p.credential(conf.Credentials[name])
		if err != nil {
			return nil, err
		}
		p.credentials = append(p.credentials, credential)
	}
	return p, nil
}

func newStore(conf *config.Config) tokens.Store {
	switch {
	case conf.Store.Kind == "memory":
		return &tokens.MemoryStore{}
	case conf.Sandbox:
		return tokens.FileStore{Dir: sandboxFolder(conf)}
	}
	return tokens.FileStore{Dir: conf.Store.Path}
}

// sandboxFolder keeps the sandbox's grants away from real ones.
func sandboxFolder(conf *config.Config) string { return filepath.Join(conf.Store.Path, "sandbox") }

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

// find returns the named credential; "" means the default route's.
func (p *program) find(name string) (*credential, error) {
	if name == "" {
		name = p.conf.Routes[0].Credential
		if name == "" {
			return nil, &exitError{exitUsage, fmt.Errorf("the default route %q has no credential", p.conf.Routes[0].Name), "name the credential you mean"}
		}
	}
	for _, credential := range p.credentials {
		if credential.conf.Name == name {
			return credential, nil
		}
	}
	return nil, &exitError{exitUsage, fmt.Errorf("the configuration has no credential %q", name), "see 'avsproxy status'"}
}

func (p *program) consoleCredentials() []console.Credential {
	var list []console.Credential
	for _, c := range p.credentials {
		shown := console.Credential{Source: c.source}
		if c.interactive() {
			shown.Client = c.client
		}
		list = append(list, shown)
	}
	return list
}

// settle lets renewals under way save what they get, for drainTimeout at most.
func (p *program) settle() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	for _, credential := range p.credentials {
		_ = credential.source.Settle(ctx) // out of time: the store's lock and the next start take it from here
	}
}
