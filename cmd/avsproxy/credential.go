package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"avsproxy/internal/config"
	"avsproxy/tokens"
)

// A credential is one from the configuration with the parts that keep it alive.
type credential struct {
	conf   config.Credential
	source *tokens.Source
	client *tokens.Client // nil = no login, nothing to renew
}

// interactive reports whether a person logs in to the credential.
func (c *credential) interactive() bool { return c.conf.Grant == "authorization_code" }

func (p *program) credential(conf config.Credential) (*credential, error) {
	source := &tokens.Source{Name: conf.Name, Kind: conf.Grant, Store: p.store}
	built := &credential{conf: conf, source: source}
	if conf.Grant == "static" {
		source.Store = &tokens.MemoryStore{} // what the configuration holds is not copied elsewhere
		source.Start = func() (tokens.Grant, error) {
			token, err := conf.Token.Resolve()
			return tokens.Grant{Kind: conf.Grant, Access: token, Recheck: time.Now().Round(0).Add(staticRecheck)}, err
		}
		return built, nil
	}
	client, err := p.client(conf)
	if err != nil {
		return nil, err
	}
	built.client = client
	source.Renew = client.Refresh
	source.Fits = client.Fits
	if conf.RevokeURL != "" && p.stand == nil {
		source.Revoke = client.Revoker(conf.RevokeURL)
	}
	if conf.Grant == "refresh_token" {
		source.Start = seed(client, conf)
	}
	return built, nil
}

// staticRecheck is how often a configured token is read again.
const staticRecheck = 10 * time.Second

// seed lets a source start from the configured refresh token, whichever that is
// at the time. A stored grant that grew from another one does not fit.
func seed(client *tokens.Client, conf config.Credential) func() (tokens.Grant, error) {
	var mu sync.Mutex
	var last tokens.Grant
	return func() (tokens.Grant, error) {
		refresh, err := conf.RefreshToken.Resolve()
		if err != nil {
			return tokens.Grant{}, err
		}
		mu.Lock()
		defer mu.Unlock()
		if last.Refresh != refresh {
			last = tokens.Grant{
				Kind: conf.Grant, ClientID: client.ID, Issuer: client.TokenURL,
				Seed: tokens.Fingerprint(refresh), Refresh: refresh, LoggedIn: time.Now().Round(0),
			}
		}
		return last, nil
	}
}

func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUsage, err, ""}
}

func (p *program) client(conf config.Credential) (*tokens.Client, error) {
	if p.stand != nil {
		return p.stand.client(conf, p.redirectURL(conf)), nil
	}
	roots, err := p.providerRoots(conf.Name)
	if err != nil {
		return nil, err
	}
	client := &tokens.Client{
		ID:          conf.ClientID,
		AuthURL:     conf.AuthURL,
		TokenURL:    conf.TokenURL,
		RedirectURL: p.redirectURL(conf),
		Scopes:      conf.Scopes,
		AuthParams:  authParams(conf),
		TokenParams: conf.TokenParams,
		HTTP:        httpClient(roots),
	}
	if conf.Provider == "amazon" {
		endpoints := tokens.Amazon(conf.Region)
		client.AuthURL = cmp.Or(client.AuthURL, endpoints.AuthURL)
		client.TokenURL = cmp.Or(client.TokenURL, endpoints.TokenURL)
	}
	if !conf.ClientSecret.IsZero() {
		client.Secret = conf.ClientSecret.Resolve
	}
	return client, nil
}

// authParams adds the scope_data that Amazon demands with the scope alexa:all,
// unless the configuration spells it out.
func authParams(conf config.Credential) map[string]string {
	params := map[string]string{}
	if conf.Provider == "amazon" && slices.Contains(conf.Scopes, "alexa:all") {
		params["scope_data"] = tokens.AlexaScopeData(conf.ProductID, conf.DeviceSerialNumber)
	}
	for key, value := range conf.AuthParams {
		params[key] = value
	}
	return params
}

// redirectURL is the configured one. Where the configuration leaves it, or its
// port, open, it follows the console's port.
func (p *program) redirectURL(conf config.Credential) string {
	redirect, err := url.Parse(conf.RedirectURL)
	if err != nil {
		return conf.RedirectURL
	}
	consolePort := portOf(p.conf.Console.Listen)
	if redirect.Port() == "0" || (p.stand != nil && !conf.RedirectURLSet) {
		redirect.Host = redirect.Hostname() + ":" + consolePort
		return redirect.String()
	}
	return conf.RedirectURL
}

// providerRoots are the system's roots and the ca_file of every route that uses
// the credential; nil = the system's alone.
func (p *program) providerRoots(name string) (*x509.CertPool, error) {
	var files []string
	for _, route := range p.conf.Routes {
		if route.Credential == name {
			files = append(files, route.CAFile)
		}
	}
	return loadRoots(files...)
}

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
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("route.ca_file: %w", err), "name a file with certificates in PEM form"}
		}
		if !pool.AppendCertsFromPEM(text) {
			return nil, &exitError{exitUsage, fmt.Errorf("route.ca_file: %s holds no certificate", file), "name a file with certificates in PEM form"}
		}
	}
	return pool, nil
}

// httpClient calls token endpoints; [tokens.Client] bounds each call.
func httpClient(roots *x509.CertPool) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: transport}
}
