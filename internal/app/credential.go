package app

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/durable"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// A Credential is one from the configuration with the parts that keep it alive.
type Credential struct {
	Conf   config.Credential
	Source *tokens.Source
	Client *tokens.Client // nil = no provider is spoken to
	Remote *tokens.Remote // the avsproxy that owns the grant; nil = this one does
}

// Interactive reports whether a person logs in to the credential.
func (c *Credential) Interactive() bool {
	return c.Conf.Grant == "authorization_code" || c.Conf.Grant == "device_code"
}

// Imports reports whether 'login' takes a refresh token for the credential.
func (c *Credential) Imports() bool {
	return c.Conf.Grant == "refresh_token" && c.Conf.RefreshToken.IsZero()
}

// NonInteractive reports whether the credential has to prove itself when 'serve' starts:
// no person logs in, so no person would see that it fails.
func (c *Credential) NonInteractive() bool { return !c.Interactive() && !c.Imports() }

func newCredential(p *Program, conf config.Credential) (*Credential, error) {
	source := &tokens.Source{
		Name: conf.Name, Kind: conf.Grant, Store: p.store,
		KeepWarm: conf.KeepWarm, MaxAge: conf.RefreshTokenMaxAge, Renewals: p.renewalsOf(conf),
	}
	switch conf.Grant {
	case "static":
		source.Store = &tokens.MemoryStore{} // what the configuration holds is not copied elsewhere
		source.Seed = static(conf)
		return &Credential{Conf: conf, Source: source}, nil
	case "command":
		source.Store = &tokens.MemoryStore{} // the program keeps its own login
		command := tokens.Command{Argv: conf.Command}
		source.Unattended, source.Renew, source.Matches = true, command.Renew, command.Matches
		return &Credential{Conf: conf, Source: source}, nil
	}
	if conf.Grant == "remote" {
		return remoteCredential(conf, source)
	}
	client, err := newClient(p, conf)
	if err != nil {
		return nil, err
	}
	source.Renew, source.Revoke, source.Matches = client.Refresh, client.Revoke, fits(client, conf)
	switch {
	case conf.Grant == "client_credentials":
		source.Unattended, source.Renew = true, client.ClientCredentials
	case conf.Grant == "refresh_token" && !conf.RefreshToken.IsZero():
		source.Seed = seed(client, p.configSecrets.wrap(conf.RefreshToken.Resolve))
	}
	return &Credential{Conf: conf, Source: source, Client: client}, nil
}

// fits keeps a client's own grant apart from those that a person gave it.
func fits(client *tokens.Client, conf config.Credential) func(tokens.Grant) bool {
	const own = "client_credentials"
	return func(grant tokens.Grant) bool {
		return client.Matches(grant) && (grant.Kind == own) == (conf.Grant == own)
	}
}

// staticRecheck is how often a configured token is read again.
const staticRecheck = 10 * time.Second

func static(conf config.Credential) func() (tokens.Grant, error) {
	return func() (tokens.Grant, error) {
		token, err := conf.Token.Resolve()
		return tokens.Grant{Kind: conf.Grant, Access: token, Recheck: time.Now().Round(0).Add(staticRecheck)}, err
	}
}

// seed lets a source start from the configured refresh token, whichever that is
// at the time. A stored grant that grew from another one does not fit.
func seed(client *tokens.Client, resolve func() (tokens.Secret, error)) func() (tokens.Grant, error) {
	var mu sync.Mutex
	var last tokens.Grant
	return func() (tokens.Grant, error) {
		refresh, err := resolve()
		if err != nil {
			return tokens.Grant{}, err
		}
		mu.Lock()
		defer mu.Unlock()
		if last.Refresh != refresh {
			last = client.Imported(refresh)
		}
		return last, nil
	}
}

func newClient(p *Program, conf config.Credential) (*tokens.Client, error) {
	if p.sandbox != nil {
		return sandboxClient(p, conf), nil
	}
	roots, err := providerRoots(p, conf.Name)
	if err != nil {
		return nil, err
	}
	provider, _ := tokens.FindProvider(conf.Provider, conf.Region) // "oauth2" has nothing but what is configured
	client := &tokens.Client{
		ID:               conf.ClientID,
		Basic:            provider.Basic,
		Issuer:           cmp.Or(conf.Issuer, provider.Issuer),
		AuthURL:          cmp.Or(conf.AuthURL, provider.AuthURL),
		TokenURL:         cmp.Or(conf.TokenURL, provider.TokenURL),
		DeviceURL:        cmp.Or(conf.DeviceURL, provider.DeviceURL),
		RevokeURL:        cmp.Or(conf.RevokeURL, provider.RevokeURL),
		RedirectURL:      redirectURLOf(p, conf),
		Scopes:           conf.Scopes,
		AuthParams:       authParams(conf, provider),
		TokenParams:      conf.TokenParams,
		CodeBasedLinking: provider.CodeBasedLinking,
		NoPKCE:           provider.NoPKCE,
		Dead:             provider.Dead,
		HTTP:             httpClient(roots, p.proxy),
	}
	if conf.TokenAuth != "" {
		client.Basic = conf.TokenAuth == "basic"
	} else {
		client.TryBasic = provider.Name == "" // nothing is known of it
	}
	if conf.PKCE != "" {
		client.NoPKCE = conf.PKCE == "off"
	}
	if !conf.ClientSecret.IsZero() {
		client.Secret = p.configSecrets.wrap(conf.ClientSecret.Resolve)
	}
	return client, nil
}

// authParams adds what the provider needs, and the scope_data that Amazon demands
// with the scope alexa:all, unless the configuration spells it out.
func authParams(conf config.Credential, provider tokens.Provider) map[string]string {
	params := maps.Clone(provider.AuthParams)
	if params == nil {
		params = map[string]string{}
	}
	if conf.Provider == "amazon" && slices.Contains(conf.Scopes, "alexa:all") {
		params["scope_data"] = tokens.AlexaScopeData(conf.ProductID, conf.DeviceSerialNumber)
	}
	maps.Copy(params, conf.AuthParams)
	return params
}

// redirectURLOf is the configured one. Where the configuration leaves it, or its
// port, open, it follows the console's port.
func redirectURLOf(p *Program, conf config.Credential) string {
	redirect, err := url.Parse(conf.RedirectURL)
	if err != nil {
		return conf.RedirectURL
	}
	if redirect.Port() == "0" || (p.sandbox != nil && !conf.RedirectURLSet) {
		redirect.Host = redirect.Hostname() + ":" + p.consolePort
		return redirect.String()
	}
	return conf.RedirectURL
}

// providerRoots are the system's roots and the ca_file of every route that uses
// the credential; nil = the system's alone.
func providerRoots(p *Program, name string) (*x509.CertPool, error) {
	var files []string
	for _, route := range p.conf.Routes {
		if route.Credential == name {
			files = append(files, route.CAFile)
		}
	}
	return loadRoots(files...)
}

// MaxPEM bounds a file of certificates: one with the roots of every system has 250 KiB.
const MaxPEM = 16 << 20

// Roots returns the system's roots and those in a file; nil = the system's alone.
func Roots(file string) (*x509.CertPool, error) { return loadRoots(file) }

// loadRoots returns the system's roots and those in files; "" among them is none.
func loadRoots(files ...string) (*x509.CertPool, error) {
	files = slices.DeleteFunc(files, func(file string) bool { return file == "" })
	if len(files) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // systems without a store: the files are all there is
	}
	for _, file := range files {
		text, err := durable.ReadFile(file, MaxPEM)
		if err != nil {
			return nil, terminal.Usage(fmt.Errorf("route.ca_file: %w", err), "name a file with certificates in PEM form")
		}
		if !pool.AppendCertsFromPEM(text) {
			return nil, terminal.Usage(fmt.Errorf("route.ca_file: %s holds no certificate", file), "name a file with certificates in PEM form")
		}
	}
	return pool, nil
}

// httpClient calls token endpoints; [tokens.Client] bounds each call.
func httpClient(roots *x509.CertPool, choose proxyFunc) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy, transport.OnProxyConnectResponse = nil, connectProxyError
	if choose != nil {
		transport.Proxy = func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	// A kept connection may be dead without a sign, and its answer be waited for in vain.
	transport.DisableKeepAlives = true
	return &http.Client{Transport: transport}
}

func (c *Credential) consoleView() console.Credential {
	shown := console.Credential{Source: c.Source, Asked: c.Conf.Scopes, Device: c.Conf.Grant == "device_code"}
	if c.Client != nil {
		shown.Skew = c.Client.Skew
	}
	if c.Interactive() {
		shown.Client = c.Client
	}
	return shown
}

// header is the route's choice of field and format, or else the credential's.
func (c *Credential) header(route config.Route) (header, format string) {
	header, format = c.Conf.Header, c.Conf.Format
	if route.Header != "" {
		header = route.Header
	}
	if route.Format != "" {
		format = route.Format
	}
	return header, format
}
