package tokens

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// A Client is one client registration at one provider (RFC 6749 section 2): it
// makes authorization URLs and calls the provider's endpoints. Set the exported
// fields before the first call; after that it is safe for concurrent use.
type Client struct {
	ID string
	// Secret is asked for before each call, so that a rotated secret is picked up
	// without a restart. Nil, or an empty secret, is the secret-less variant (RFC
	// 8252 section 8.4), for which PKCE stands in.
	Secret func() (Secret, error)
	// Basic sends ID and secret in a header (RFC 6749 section 2.3.1), not in the body.
	Basic bool
	// TryBasic does so too once the provider has refused them in the body with
	// invalid_client, which says that nothing was spent. It is for providers of which
	// nothing is known.
	TryBasic bool
	// NoPKCE leaves out PKCE (RFC 7636). It is for providers that refuse
	// code_verifier: a login is then protected by its state alone.
	NoPKCE bool
	// Dead is what this provider answers to a refresh token that is dead, besides
	// invalid_grant.
	Dead []Saying

	// Issuer is the provider's issuer identifier (RFC 8414 section 2). Of the
	// endpoints below, those that are empty are then discovered when they are first
	// needed; and callbacks must come from it (RFC 9207). Empty = no discovery.
	Issuer                                  string
	AuthURL, TokenURL, DeviceURL, RevokeURL string

	RedirectURL string // sent byte for byte; providers compare it so
	Scopes      []string
	// AuthParams are added to the request for a person's consent, by browser or by
	// device; TokenParams to the exchange of a code and to client_credentials. Both
	// may be nil.
	AuthParams, TokenParams map[string]string
	// CodeBasedLinking makes device logins speak Login with Amazon's dialect of RFC
	// 8628, which never shows a secret: neither in the login nor in renewals of what
	// it gave.
	CodeBasedLinking bool
	// HTTP calls the endpoints. Nil = a client with a 30 s bound. Redirects are
	// never followed: they would carry the secret elsewhere.
	HTTP *http.Client

	discovery discovery
	clock     clock
	inHeader  atomic.Bool // TryBasic found that ID and secret go into a header
}

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

// authURL returns the URL to send a browser to, with state and PKCE S256. The
// token endpoint is looked for too: better now than with a code in hand.
func (c *Client) authURL(ctx context.Context, state, verifier string) (string, error) {
	if _, err := c.endpoint(ctx, "token_url"); err != nil {
		return "", err
	}
	address, err := c.endpoint(ctx, "auth_url")
	if err != nil {
		return "", err
	}
	conf := oauth2.Config{ClientID: c.ID, RedirectURL: c.RedirectURL, Scopes: c.Scopes, Endpoint: oauth2.Endpoint{AuthURL: address}}
	options := append(params(c.AuthParams), oauth2.SetAuthURLParam("state", state))
	if !c.NoPKCE {
		options = append(options, oauth2.S256ChallengeOption(verifier))
	}
	return conf.AuthCodeURL(state, options...), nil
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
// spent by the attempt, whatever comes of it. Beside an error too the grant may have
// a refresh token.
func (c *Client) exchange(ctx context.Context, code, verifier string) (Grant, error) {
	conf, err := c.config(ctx, false)
	if err != nil {
		return Grant{}, err
	}
	options := params(c.TokenParams)
	if !c.NoPKCE {
		options = append(options, oauth2.VerifierOption(verifier))
	}
	answer, err := c.call(ctx, conf, func(ctx context.Context, conf *oauth2.Config) error {
		_, err := conf.Exchange(ctx, code, options...)
		return err
	})
	var grant Grant
	if err == nil {
		grant, err = c.grant(answer, c.newGrant("authorization_code"))
	}
	if err != nil {
		return grant, exchangeError(asError(err))
	}
	return grant, nil
}

// Refresh obtains the successor of old (RFC 6749 section 6). The provider may
// rotate the refresh token, repeat it or leave it out; the last two keep the old one.
func (c *Client) Refresh(ctx context.Context, old Grant) (Grant, error) {
	conf, err := c.config(ctx, c.CodeBasedLinking && old.Kind == deviceKind)
	if err != nil {
		return Grant{}, err
	}
	answer, err := c.call(ctx, conf, func(ctx context.Context, conf *oauth2.Config) error {
		_, err := conf.TokenSource(ctx, &oauth2.Token{RefreshToken: old.Refresh.Reveal()}).Token()
		return err
	})
	if err != nil {
		return old, err
	}
	if answer.says(c.Dead) {
		return old, deadGrant(answer)
	}
	return c.grant(answer, old)
}

// clientKind is the Kind of a client's own grant.
const clientKind = "client_credentials"

// ClientCredentials obtains a token in the client's own name (RFC 6749 section
// 4.4); it is for [Source.Renew]. Of old it keeps only when that began. Such a
// grant has no refresh token, and no login helps where it is refused.
func (c *Client) ClientCredentials(ctx context.Context, old Grant) (Grant, error) {
	conf, err := c.config(ctx, false)
	if err != nil {
		return Grant{}, err
	}
	form := c.form(c.TokenParams)
	form.Set("grant_type", clientKind)
	ctx, cancel := context.WithTimeout(ctx, callTimeout) // no refresh token is at stake
	defer cancel()
	answer, err := c.ask(ctx, conf, form)
	if err != nil {
		return Grant{}, err
	}
	grant := c.newGrant(clientKind)
	if !old.LoggedIn.IsZero() {
		grant.LoggedIn = old.LoggedIn
	}
	if grant, err = c.grant(answer, grant); err != nil {
		e := asError(err)
		if e.Action == ActionLogin {
			e.Action, e.Message, e.Hint = ActionConfig, "the provider refused the client's own grant", "check client_id, client_secret and scopes"
		}
		return Grant{}, e
	}
	grant.Refresh = ""
	return grant, nil
}

// form is what is configured, with the scopes.
func (c *Client) form(params map[string]string) url.Values {
	form := url.Values{}
	for key, value := range params {
		form.Set(key, value)
	}
	if len(c.Scopes) > 0 {
		form.Set("scope", strings.Join(c.Scopes, " "))
	}
	return form
}

// ask makes one call of the token endpoint. Package clientcredentials lets the
// form name any grant.
func (c *Client) ask(ctx context.Context, conf *oauth2.Config, form url.Values) (*answer, error) {
	return c.call(ctx, conf, func(ctx context.Context, conf *oauth2.Config) error {
		call := clientcredentials.Config{
			ClientID: conf.ClientID, ClientSecret: conf.ClientSecret, EndpointParams: form,
			TokenURL: conf.Endpoint.TokenURL, AuthStyle: conf.Endpoint.AuthStyle,
		}
		_, err := call.Token(ctx)
		return err
	})
}

// Matches reports whether a stored grant was issued to this client; it is for
// [Source.Matches].
func (c *Client) Matches(grant Grant) bool {
	return grant.ClientID == c.ID && grant.Issuer == c.issuer()
}

// issuer names the provider in grants, without a look at the network.
func (c *Client) issuer() string { return cmp.Or(c.Issuer, c.TokenURL) }

func (c *Client) newGrant(kind string) Grant {
	return Grant{Kind: kind, ClientID: c.ID, Issuer: c.issuer(), LoggedIn: wallNow()}
}

// config is all that a call of the token endpoint needs; public = without the secret.
func (c *Client) config(ctx context.Context, public bool) (*oauth2.Config, error) {
	secret, err := c.secret(public)
	if err != nil {
		return nil, err
	}
	address, err := c.endpoint(ctx, "token_url")
	if err != nil {
		return nil, err
	}
	style := oauth2.AuthStyleInParams // probing, as x/oauth2 does it, would send a single-use code twice
	if c.basic(secret) {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{
		ClientID: c.ID, ClientSecret: secret.Reveal(), RedirectURL: c.RedirectURL, Scopes: c.Scopes,
		Endpoint: oauth2.Endpoint{TokenURL: address, AuthStyle: style},
	}, nil
}

// basic reports whether ID and secret go into a header.
func (c *Client) basic(secret Secret) bool {
	return (c.Basic || c.inHeader.Load()) && !secret.IsZero()
}

func (c *Client) secret(public bool) (Secret, error) {
	if public || c.Secret == nil {
		return "", nil
	}
	secret, err := c.Secret()
	if err != nil {
		return "", &Error{Action: ActionConfig, Message: "the client's secret cannot be had", Hint: "see the configuration", Err: err}
	}
	return secret, nil
}
