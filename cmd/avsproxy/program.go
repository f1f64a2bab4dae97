package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/tokens"
)

// A program is what the configuration describes, built but not started: it has
// touched neither the network nor the store.
type program struct {
	app   *app
	conf  *config.Config
	store tokens.Store
	// stand is the sandbox in Amazon's place; nil = the real endpoints.
	stand *stand
	proxy proxyChoice // on the way to upstreams and providers
	users users       // may use the doors; the zero value is everybody
	// credentials are those that routes use, in the order of the routes, then the
	// others by name.
	credentials   []*credential
	configSecrets secretSet
}

// build makes the parts. stand is where the sandbox is reached, where the
// configuration asks for one.
func (a *app) build(conf *config.Config, stand *stand) (*program, error) {
	p := &program{app: a, conf: conf, stand: stand}
	p.configSecrets.addConfig(conf)
	p.configSecrets.AddProxies(a.getenv)
	if !conf.Sandbox { // which is on this machine
		var err error
		if p.proxy, err = a.corporateProxy(); err != nil {
			return nil, err
		}
	}
	p.store = a.newStore(conf)
	for _, name := range credentialNames(conf) {
		credential, err := p.credential(conf.Credentials[name])
		if err != nil {
			return nil, err
		}
		p.credentials = append(p.credentials, credential)
	}
	return p, nil
}

func (a *app) newStore(conf *config.Config) tokens.Store {
	switch {
	case conf.Store.Kind == "memory":
		return &tokens.MemoryStore{}
	case conf.Sandbox: // its tokens are worth nothing, and the system's keyring is not to be littered
		return tokens.FileStore{Dir: sandboxFolder(conf), Waiting: a.tellWaiting}
	case conf.Store.Kind == "keyring":
		// The name keeps apart what belongs to different folders, and what people put into the keyring themselves.
		return &tokens.KeyringStore{
			Dir: conf.Store.Path, Service: "avsproxy logins of " + conf.Store.Path,
			Recovered: a.tellRecovered, Waiting: a.tellWaiting,
		}
	}
	return tokens.FileStore{Dir: conf.Store.Path, Recovered: a.tellRecovered, Waiting: a.tellWaiting}
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
		list = append(list, c.shown())
	}
	return list
}

func (c *credential) shown() console.Credential {
	shown := console.Credential{Source: c.source, Asked: c.conf.Scopes, Device: c.conf.Grant == "device_code"}
	if c.client != nil {
		shown.Skew = c.client.Skew
	}
	if c.interactive() {
		shown.Client = c.client
	}
	return shown
}

// tellRecovered warns of a damaged file, whose login lives on from a copy.
func (a *app) tellRecovered(path string) {
	if _, told := a.told.LoadOrStore(path, true); told {
		return
	}
	a.ui.warn(path+" is damaged; the login goes on from the generation before it", "the damaged file is kept as "+path+".damaged with the next renewal; check the disk")
}

// tellWaiting warns of a lock that is not to be had soon.
func (a *app) tellWaiting(path string) {
	a.ui.warn("waiting for the lock "+path+", which another process holds", "if it does not end by itself, see who that is: fuser "+shellQuote(path))
}

// settle waits for renewals under way, and says so: the answer may hold the only
// refresh token that is left.
func (p *program) settle() {
	for _, credential := range p.credentials {
		said := time.AfterFunc(settleUnsaid, func() {
			if credential.source.Status().Renewing {
				p.app.sayWaiting(credential.conf.Name)
			}
		})
		_ = credential.source.Settle(context.Background()) // which ends by itself
		said.Stop()
	}
}

// settleUnsaid is for how long a wait needs no word.
const settleUnsaid = 200 * time.Millisecond

// sayWaiting tells why an end takes its time.
func (a *app) sayWaiting(credential string) {
	a.ui.say("avsproxy: waiting for the provider's answer to the renewal of %s, for 5 minutes at most; another signal ends this at once, and may lose the login", credential)
}

// warnOfPKCE says each time that a login is less protected than it could be.
func (p *program) warnOfPKCE(c *credential) {
	if c.conf.PKCE == "off" && c.conf.Grant == "authorization_code" {
		p.app.ui.warn("logins to "+c.conf.Name+" go without PKCE: whoever sees the code of a login on its way can use it",
			"take out pkce = \"off\" unless the provider refuses code_verifier")
	}
}
