package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// A Client is one client registration at one provider (RFC 6749 section 2): it
// makes authorization URLs and calls the token endpoint.
type Client struct {
	ID string
	// Secret is asked for before each call, so that a rotated secret is picked up
	// without a restart. Nil, or an empty secret, is the secret-less variant (RFC
	// 8252 section 8.4), for which PKCE stands in.
	Secret      func() (Secret, error)
	AuthURL     string
	TokenURL    string
	RedirectURL string // sent byte for byte; providers compare it so
	Scopes      []string
	// AuthParams are added to the authorization request, TokenParams to the
	// exchange of the code. Both may be nil.
	AuthParams, TokenParams map[string]string
	// HTTP calls the token endpoint. Nil = a client with a 30 s bound. Redirects
	// are never followed: they would carry the secret elsewhere.
	HTTP *http.Client
}

// callTimeout bounds one call to the token endpoint.
const callTimeout = 30 * time.Second

// AlexaScopeData builds the scope_data parameter that Login with Amazon demands
// for the scope alexa:all. The serial number identifies the device to AVS.
func AlexaScopeData(productID, serialNumber string) string {
	type attributes struct {
		DeviceSerialNumber string `json:"deviceSerialNumber"`
	}
	type product struct {
		ProductID  string     `json:"productID"`
		Attributes attributes `json:"productInstanceAttributes"`
	}
	text, _ := json.Marshal(map[string]product{"alexa:all": {productID, attributes{serialNumber}}})
	return string(text) // strings alone cannot fail to encode
}

// authURL returns the URL to send a browser to, with state and PKCE S256.
func (c *Client) authURL(state, verifier string) string {
	options := append(params(c.AuthParams), oauth2.SetAuthURLParam("state", state), oauth2.S256ChallengeOption(verifier))
	return c.config("").AuthCodeURL(state, options...)
}

// params come before what protects a login, so that they cannot replace it.
func params(values map[string]string) []oauth2.AuthCodeOption {
	var options []oauth2.AuthCodeOption
	for key, value := range values {
		options = append(options, oauth2.SetAuthURLParam(key, value))
	}
	return options
}

// exchange redeems an authorization code (RFC 6749 section 4.1.3). A code is
// spent by the attempt, whatever comes of it.
func (c *Client) exchange(ctx context.Context, code, verifier string) (Grant, error) {
	conf, err := c.secretConfig()
	if err != nil {
		return Grant{}, err
	}
	token, err := conf.Exchange(c.context(ctx), code, append(params(c.TokenParams), oauth2.VerifierOption(verifier))...)
	if err != nil {
		return Grant{}, exchangeError(providerError(err))
	}
	grant, err := c.grant(token, Grant{Kind: "authorization_code", ClientID: c.ID, Issuer: c.TokenURL, LoggedIn: wallNow()})
	if err != nil {
		return Grant{}, exchangeError(asError(err))
	}
	return grant, nil
}

// Refresh obtains the successor of old (RFC 6749 section 6). The provider may
// rotate the refresh token, repeat it or leave it out; the last two keep the old one.
func (c *Client) Refresh(ctx context.Context, old Grant) (Grant, error) {
	conf, err := c.secretConfig()
	if err != nil {
		return Grant{}, err
	}
	source := conf.TokenSource(c.context(ctx), &oauth2.Token{RefreshToken: old.Refresh.Reveal()})
	token, err := source.Token()
	if err != nil {
		return Grant{}, providerError(err)
	}
	return c.grant(token, old)
}

// Fits reports whether a stored grant was issued to this client; it is for
// [Source.Fits].
func (c *Client) Fits(grant Grant) bool {
	return grant.ClientID == c.ID && grant.Issuer == c.TokenURL
}

func (c *Client) config(secret Secret) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     c.ID,
		ClientSecret: secret.Reveal(),
		RedirectURL:  c.RedirectURL,
		Scopes:       c.Scopes,
		// Probing the style would send a single-use code twice.
		Endpoint: oauth2.Endpoint{AuthURL: c.AuthURL, TokenURL: c.TokenURL, AuthStyle: oauth2.AuthStyleInParams},
	}
}

func (c *Client) secretConfig() (*oauth2.Config, error) {
	if c.Secret == nil {
		return c.config(""), nil
	}
	secret, err := c.Secret()
	if err != nil {
		return nil, &Error{Action: ActionConfig, Say: "the client's secret cannot be had", Hint: "see the configuration", Err: err}
	}
	return c.config(secret), nil
}

func (c *Client) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, c.httpClient())
}

func (c *Client) httpClient() *http.Client {
	var client http.Client
	if c.HTTP != nil {
		client = *c.HTTP
	}
	if client.Timeout == 0 {
		client.Timeout = callTimeout
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// grant carries old over into what the token endpoint answered just now.
func (c *Client) grant(token *oauth2.Token, old Grant) (Grant, error) {
	if strings.ContainsFunc(token.AccessToken, notVSCHAR) {
		return Grant{}, notAnAnswer(errors.New("its token could not be sent in a header"))
	}
	now := wallNow()
	old.Access = Secret(token.AccessToken)
	if token.RefreshToken != "" {
		old.Refresh = Secret(token.RefreshToken)
	}
	old.Renewed = now
	old.Expiry = now.Add(lifetime(token))
	if scope, ok := token.Extra("scope").(string); ok && scope != "" {
		old.Scopes = strings.Fields(scope)
	} else if old.Scopes == nil {
		old.Scopes = c.Scopes // RFC 6749 section 5.1: left out means as asked
	}
	return old, nil
}

// notVSCHAR tells what RFC 6749 (appendix A.12) does not allow in a token.
func notVSCHAR(r rune) bool { return r < 0x20 || r > 0x7e }

const (
	lifeUnsaid = time.Hour // a provider that does not say: Amazon's, and most, are an hour
	lifeMost   = 365 * 24 * time.Hour
)

// lifetime reads expires_in, which some answers leave out or get wrong.
func lifetime(token *oauth2.Token) time.Duration {
	life := time.Duration(token.ExpiresIn) * time.Second
	if life == 0 && !token.Expiry.IsZero() { // a form-encoded answer
		life = time.Until(token.Expiry).Round(time.Second)
	}
	if life <= 0 {
		return lifeUnsaid
	}
	return min(life, lifeMost)
}

// Revoker returns a function for [Source.Revoke] that tells the endpoint at
// revokeURL that a grant is no longer wanted (RFC 7009): its refresh token where
// there is one, which ends its access tokens too.
func (c *Client) Revoker(revokeURL string) func(context.Context, Grant) error {
	return func(ctx context.Context, grant Grant) error {
		token := grant.Refresh
		if token.IsZero() {
			token = grant.Access
		}
		return c.revoke(ctx, revokeURL, token)
	}
}

func (c *Client) revoke(ctx context.Context, revokeURL string, token Secret) error {
	conf, err := c.secretConfig()
	if err != nil {
		return err
	}
	form := url.Values{"token": {token.Reveal()}, "client_id": {c.ID}}
	if conf.ClientSecret != "" {
		form.Set("client_secret", conf.ClientSecret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, revokeURL, strings.NewReader(form.Encode()))
	if err != nil {
		return errors.New("the revocation endpoint's URL is not valid")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.httpClient().Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the revocation endpoint answered %d", resp.StatusCode)
	}
	return nil
}
