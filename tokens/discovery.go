package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/singleflight"
)

// metadata is what a provider says of itself (RFC 8414 section 2).
type metadata struct {
	Issuer    string `json:"issuer"`
	AuthURL   string `json:"authorization_endpoint"`
	TokenURL  string `json:"token_endpoint"`
	DeviceURL string `json:"device_authorization_endpoint"`
	RevokeURL string `json:"revocation_endpoint"`
	// SaysIssuer promises that callbacks name the issuer (RFC 9207 section 3).
	SaysIssuer bool `json:"authorization_response_iss_parameter_supported"`
}

func (m *metadata) endpoints() map[string]string {
	return map[string]string{authURL: m.AuthURL, tokenURL: m.TokenURL, deviceURL: m.DeviceURL, revokeURL: m.RevokeURL}
}

// discovery remembers what was discovered. The zero value knows nothing yet.
type discovery struct {
	found  atomic.Pointer[metadata] // nil = nothing yet
	flight singleflight.Group       // for all that wait for it; it belongs to none of them
}

// lookup discovers the endpoints of issuer, unless they are known. A failure is not
// remembered.
func (d *discovery) lookup(ctx context.Context, issuer string, client *http.Client) (*metadata, error) {
	result := d.flight.DoChan("", func() (any, error) {
		if found := d.found.Load(); found != nil {
			return found, nil
		}
		found, err := discover(issuer, client)
		if err == nil {
			d.found.Store(found)
		}
		return found, err
	})
	select {
	case r := <-result:
		return r.Val.(*metadata), r.Err
	case <-ctx.Done():
		return nil, unreachable(ctx.Err())
	}
}

func discover(issuer string, client *http.Client) (*metadata, error) {
	u, err := url.Parse(issuer)
	if err != nil || !safeURL(issuer) || u.RawQuery != "" || u.Fragment != "" {
		return nil, newError(ActionConfig, "issuer is no https URL without query and fragment", "write issuer as the provider does")
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	for _, address := range wellKnown(u) {
		if found, err := fetchMetadata(ctx, client, address); err != nil {
			return nil, err
		} else if found != nil {
			return found, found.check(issuer)
		}
	}
	return nil, newError(ActionConfig, "the provider has no discovery document at its issuer's address", "check issuer, or spell out auth_url and token_url")
}

// wellKnown lists where the document may be: by OpenID Connect Discovery section
// 4, and by RFC 8414 section 3.1, which differ in where an issuer's path goes.
func wellKnown(issuer *url.URL) []string {
	oauth := *issuer
	oauth.Path = "/.well-known/oauth-authorization-server" + strings.TrimSuffix(issuer.Path, "/")
	return []string{strings.TrimSuffix(issuer.String(), "/") + "/.well-known/openid-configuration", oauth.String()}
}

// fetchMetadata returns nil where there is no such document.
func fetchMetadata(ctx context.Context, client *http.Client, address string) (*metadata, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, newError(ActionConfig, "issuer is no URL", "write issuer as the provider does")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, undiscovered(plainCause(err))
	}
	got := readResponse(resp)
	var found metadata
	switch status := got.status; {
	case status >= 500 || status == http.StatusTooManyRequests:
		e := undiscovered(fmt.Errorf("it answered %d", status))
		e.RetryAfter = retryAfter(got.header.Get("Retry-After"))
		return nil, e
	case status != http.StatusOK:
		return nil, nil
	case json.Unmarshal(got.text, &found) != nil:
		return nil, undiscovered(errors.New("its answer is no such document (a captive portal?)"))
	}
	return &found, nil
}

// check refuses a document that speaks for another issuer (RFC 8414 section 3.3)
// or would have secrets sent in the clear.
func (m *metadata) check(issuer string) error {
	if m.Issuer != issuer {
		return otherIssuer(m.Issuer)
	}
	for _, address := range m.endpoints() {
		if address != "" && !safeURL(address) {
			return newError(ActionConfig, "the discovery document names an endpoint that is not https", "spell out auth_url and token_url, or ask the provider")
		}
	}
	return nil
}

// otherIssuer shows whose document it is. Microsoft's shared addresses have a
// document for all tenants, which names none.
func otherIssuer(said string) *Error {
	hint := "if that is the provider you mean, write it as issuer, letter by letter"
	switch {
	case said == "":
		return newError(ActionConfig, "the discovery document names no issuer", "check issuer, or spell out auth_url and token_url")
	case strings.ContainsAny(said, "{}"):
		hint = "write the ID of your tenant into issuer, in the place of common, organizations or consumers; or leave issuer out and spell out auth_url and token_url, or use provider = \"microsoft\""
	}
	return newError(ActionConfig, "the discovery document is another issuer's: "+sentence(said), hint)
}

// safeURL reports whether a URL is https, or leads to this machine.
func safeURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsFunc(text, notVSCHAR) {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

func undiscovered(cause error) *Error {
	return newError(ActionRetry, "the provider's discovery document could not be had",
		"check the network and issuer; it is tried again with the next use").because(cause)
}
