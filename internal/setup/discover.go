package setup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// ErrNothingSaid is what Discover returns where an API tells nothing of how one gets in to it.
var ErrNothingSaid = errors.New("it does not say how one gets in to it")

// Discover asks an API how one gets in to it: by its WWW-Authenticate and its metadata (RFC 9728),
// and those of its provider (RFC 8414). Where the provider lets clients register themselves (RFC
// 7591), it registers one for logins that come back to redirectURL; where that is empty, none. secret is
// the client's, if it was given one. The API gets no credential.
func Discover(ctx context.Context, client *http.Client, address, redirectURL string) (a *Answers, secret string, err error) {
	if err := checkURL(address); err != nil {
		return nil, "", err
	}
	d := discoverer{ctx, client}
	api, err := d.resource(address)
	if err != nil {
		return nil, "", err
	}
	a = &Answers{Kind: OAuth2, Upstream: strings.TrimSuffix(address, "/"), Scopes: api.Scopes, Resource: api.Resource, Issuer: api.Issuers[0]}
	provider, err := d.provider(a.Issuer)
	if err != nil {
		return nil, "", err
	}
	if provider.Registration == "" || redirectURL == "" {
		return a, "", nil
	}
	a.ClientID, secret, err = d.register(provider.Registration, redirectURL, a.Scopes)
	a.Registered = err == nil
	if err != nil {
		return nil, "", fmt.Errorf("its provider %s does not let a client register itself: %w", a.Issuer, err)
	}
	return a, secret, nil
}

type discoverer struct {
	ctx    context.Context
	client *http.Client
}

// resourceMetadata is what an API says of itself (RFC 9728 section 2).
type resourceMetadata struct {
	Resource string   `json:"resource"`
	Issuers  []string `json:"authorization_servers"`
	Scopes   []string `json:"scopes_supported"`
}

// resource finds the metadata of an API: where its refusal says, or else at the usual places. An
// API without any may be its own provider.
func (d discoverer) resource(address string) (m resourceMetadata, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return m, err
	}
	places := []string{wellKnown(u, "oauth-protected-resource", true), wellKnown(u, "oauth-protected-resource", false)}
	resp, err := d.get(address)
	if err != nil {
		return m, err
	}
	resp.Body.Close()
	named := regexp.MustCompile(`resource_metadata="([^"]+)"`)
	for _, challenge := range resp.Header.Values("WWW-Authenticate") {
		if found := named.FindStringSubmatch(challenge); found != nil {
			places = append([]string{found[1]}, places...)
		}
	}
	for _, place := range places {
		if err = d.read(place, &m); err == nil && len(m.Issuers) > 0 {
			if checkURL(m.Issuers[0]) != nil || m.Resource != "" && !sameOrigin(m.Resource, address) {
				return m, fmt.Errorf("what it says of itself at %s is about another", place)
			}
			return m, nil
		}
	}
	own := resourceMetadata{Issuers: []string{u.Scheme + "://" + u.Host}}
	if _, err := d.provider(own.Issuers[0]); err != nil {
		return m, ErrNothingSaid
	}
	return own, nil
}

// sameOrigin keeps an API from sending tokens for another.
func sameOrigin(a, b string) bool {
	x, err := url.Parse(a)
	y, bad := url.Parse(b)
	return err == nil && bad == nil && x.Scheme == y.Scheme && x.Host == y.Host
}

// providerMetadata is what a provider says of itself (RFC 8414 section 2).
type providerMetadata struct {
	Issuer       string `json:"issuer"`
	TokenURL     string `json:"token_endpoint"`
	Registration string `json:"registration_endpoint"`
}

func (d discoverer) provider(issuer string) (m providerMetadata, err error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return m, err
	}
	appended := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration" // OpenID Connect Discovery section 4
	for _, place := range []string{wellKnown(u, "oauth-authorization-server", true), wellKnown(u, "openid-configuration", true), appended} {
		if err = d.read(place, &m); err == nil && strings.TrimSuffix(m.Issuer, "/") == strings.TrimSuffix(issuer, "/") && checkURL(m.TokenURL) == nil {
			return m, nil
		}
	}
	return m, fmt.Errorf("its provider %s says nothing of its endpoints (RFC 8414)", issuer)
}

// wellKnown puts the suffix between host and path (RFC 8615, RFC 8414 section 3.1).
func wellKnown(u *url.URL, name string, withPath bool) string {
	path := ""
	if withPath {
		path = strings.TrimSuffix(u.EscapedPath(), "/")
	}
	return u.Scheme + "://" + u.Host + "/.well-known/" + name + path
}

// register has a client registered that logs people in, without a secret where the provider takes
// such (RFC 7591 section 3).
func (d discoverer) register(endpoint, redirectURL string, scopes []string) (id, secret string, err error) {
	if err := checkURL(endpoint); err != nil {
		return "", "", err
	}
	asked, err := json.Marshal(map[string]any{
		"client_name": "avsproxy", "redirect_uris": []string{redirectURL}, "response_types": []string{"code"},
		"grant_types": []string{"authorization_code", "refresh_token"}, "token_endpoint_auth_method": "none", "scope": strings.Join(scopes, " "),
	})
	if err != nil {
		return "", "", err
	}
	req, err := http.NewRequestWithContext(d.ctx, http.MethodPost, endpoint, bytes.NewReader(asked))
	if err != nil {
		return "", "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	var given struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&given); resp.StatusCode/100 != 2 || err != nil || given.ID == "" {
		return "", "", fmt.Errorf("the registration was answered with %d", resp.StatusCode)
	}
	return given.ID, given.Secret, nil
}

func (d discoverer) get(address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return d.client.Do(req)
}

// read reads JSON.
func (d discoverer) read(address string, into any) error {
	if err := checkURL(address); err != nil {
		return err
	}
	resp, err := d.get(address)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d", address, resp.StatusCode)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into)
}
