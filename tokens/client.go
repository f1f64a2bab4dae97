package tokens

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
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
	Dead []ResponsePattern

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
	// HTTP calls the endpoints; nil = the zero client. Redirects are never followed:
	// they would carry the secret elsewhere.
	HTTP *http.Client

	discovery discovery
	skew      atomic.Int64 // of our clock; a [time.Duration]
	inHeader  atomic.Bool  // TryBasic found that ID and secret go into a header
}

// AlexaScopeData builds the scope_data parameter that Login with Amazon demands
// for the scope alexa:all. The serial number identifies the device to AVS.
func AlexaScopeData(productID, serialNumber string) string {
	text, _ := json.Marshal(map[string]any{"alexa:all": map[string]any{
		"productID":                 productID,
		"productInstanceAttributes": map[string]string{"deviceSerialNumber": serialNumber},
	}})
	return string(text) // strings alone cannot fail to encode
}

// authURL returns the URL to send a browser to, with state and PKCE S256. The
// token endpoint is looked for too: better now than with a code in hand.
func (c *Client) authURL(ctx context.Context, state, verifier string) (string, error) {
	if _, err := c.endpoint(ctx, tokenURL); err != nil {
		return "", err
	}
	address, err := c.endpoint(ctx, authURL)
	if err != nil {
		return "", err
	}
	conf := oauth2.Config{ClientID: c.ID, RedirectURL: c.RedirectURL, Scopes: c.Scopes, Endpoint: oauth2.Endpoint{AuthURL: address}}
	var options []oauth2.AuthCodeOption
	for key, value := range c.AuthParams { // before what protects a login, so that they cannot replace it
		options = append(options, oauth2.SetAuthURLParam(key, value))
	}
	options = append(options, oauth2.SetAuthURLParam("state", state))
	if !c.NoPKCE {
		options = append(options, oauth2.S256ChallengeOption(verifier))
	}
	return conf.AuthCodeURL(state, options...), nil
}

// The grants of RFC 6749, as [Grant.Kind] names them too.
const (
	codeKind   = "authorization_code"
	clientKind = "client_credentials"
)

// exchange redeems an authorization code (RFC 6749 section 4.1.3). A code is
// spent by the attempt, whatever comes of it. Beside an error too the grant may have
// a refresh token.
func (c *Client) exchange(ctx context.Context, code, verifier string) (Grant, error) {
	form := url.Values{"grant_type": {codeKind}, "code": {code}}
	if c.RedirectURL != "" {
		form.Set("redirect_uri", c.RedirectURL)
	}
	setAll(form, c.TokenParams)
	if !c.NoPKCE {
		form.Set("code_verifier", verifier)
	}
	resp, err := c.call(ctx, request{endpoint: tokenURL, form: form})
	var grant Grant
	if err == nil {
		grant, err = resp.grant(c.newGrant(codeKind), c.Scopes)
	}
	if err != nil {
		return grant, exchangeError(asError(err))
	}
	return grant, nil
}

// Refresh obtains the successor of old (RFC 6749 section 6). The provider may
// rotate the refresh token, repeat it or leave it out; the last two keep the old one.
func (c *Client) Refresh(ctx context.Context, old Grant) (Grant, error) {
	resp, err := c.call(ctx, request{
		endpoint: tokenURL,
		form:     url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old.Refresh.Reveal()}},
		public:   c.isPublic(old),
	})
	if err != nil {
		return old, err
	}
	if resp.matchesAny(c.Dead) {
		return old, deadGrant(resp)
	}
	return resp.grant(old, c.Scopes)
}

// isPublic reports whether calls about a grant leave out the secret.
func (c *Client) isPublic(grant Grant) bool { return c.CodeBasedLinking && grant.Kind == deviceKind }

// ClientCredentials obtains a token in the client's own name (RFC 6749 section
// 4.4); it is for [Source.Renew]. Of old it keeps only when that began. Such a
// grant has no refresh token, and no login helps where it is refused.
func (c *Client) ClientCredentials(ctx context.Context, old Grant) (Grant, error) {
	form := c.form(c.TokenParams)
	form.Set("grant_type", clientKind)
	ctx, cancel := context.WithTimeout(ctx, callTimeout) // no refresh token is at stake
	defer cancel()
	resp, err := c.call(ctx, request{endpoint: tokenURL, form: form})
	if err != nil {
		return Grant{}, err
	}
	grant := c.newGrant(clientKind)
	if !old.LoggedIn.IsZero() {
		grant.LoggedIn = old.LoggedIn
	}
	if grant, err = resp.grant(grant, c.Scopes); err != nil {
		e := asError(err)
		if e.Action == ActionLogin {
			e.Action, e.Message, e.Hint = ActionConfig, "the provider refused the client's own grant", "check client_id, client_secret and scopes"
		}
		return Grant{}, e
	}
	grant.Refresh = ""
	return grant, nil
}

// Revoke tells the provider that a grant is no longer wanted (RFC 7009): its
// refresh token where there is one, which ends its access tokens too. It is for
// [Source.Revoke]. A provider without a known endpoint for that is told nothing,
// which is no error.
func (c *Client) Revoke(ctx context.Context, grant Grant) error {
	address, err := c.endpoint(ctx, revokeURL)
	if err != nil || address == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	token := cmp.Or(grant.Refresh, grant.Access)
	resp, err := c.call(ctx, request{
		endpoint: revokeURL, form: url.Values{"token": {token.Reveal()}}, public: c.isPublic(grant),
	})
	if err != nil {
		return err
	}
	if resp.status/100 != 2 {
		return fmt.Errorf("the revocation endpoint answered %d", resp.status)
	}
	return nil
}

// Imported is a grant of this client that consists of a refresh token which was
// got elsewhere; it is for [Source.Import] and [Source.Seed].
func (c *Client) Imported(refresh Secret) Grant {
	grant := c.newGrant(importedKind)
	grant.Refresh = refresh
	grant.Seed = Fingerprint(refresh)
	return grant
}

// deviceCode asks for a pair of codes (RFC 8628 section 3.1). x/oauth2's own call
// for that can neither be cancelled nor authenticate the client.
func (c *Client) deviceCode(ctx context.Context) (*DeviceCode, error) {
	for _, endpoint := range []string{deviceURL, tokenURL} {
		if _, err := c.endpoint(ctx, endpoint); err != nil {
			return nil, err
		}
	}
	form := c.form(c.AuthParams)
	if c.CodeBasedLinking {
		form.Set("response_type", deviceKind)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sent := time.Now()
	resp, err := c.call(ctx, request{endpoint: deviceURL, form: form, public: c.CodeBasedLinking})
	if err != nil {
		return nil, loginError(asError(err))
	}
	if code := resp.nearestCode(); c.CodeBasedLinking && code == "unauthorized_client" {
		return nil, notLinkable(code)
	}
	return readDeviceCode(resp, sent)
}

// redeemDevice asks once whether the person is done.
func (c *Client) redeemDevice(ctx context.Context, device *DeviceCode) (Grant, *Error) {
	form := url.Values{"grant_type": {deviceGrant}, "device_code": {device.secret}}
	if c.CodeBasedLinking { // the user code stands for client_id
		form.Set("grant_type", deviceKind)
		form.Set("user_code", device.UserCode)
	}
	resp, err := c.call(ctx, request{endpoint: tokenURL, form: form, public: c.CodeBasedLinking, anonymous: c.CodeBasedLinking})
	if err != nil {
		return Grant{}, loginError(asError(err))
	}
	// The code of a response to a poll counts whatever the status: 400 by the RFC, but
	// 200 at GitHub, and 403 and 428 at Google.
	if code := resp.code(); code != "" && !resp.isTemporary() && !resp.isTokenResponse() {
		return Grant{}, deviceRefusal(code)
	}
	grant, err := resp.grant(c.newGrant(deviceKind), c.Scopes)
	if err != nil {
		return grant, loginError(asError(err))
	}
	return grant, nil
}

// form is what is configured, with the scopes.
func (c *Client) form(params map[string]string) url.Values {
	form := url.Values{}
	setAll(form, params)
	if len(c.Scopes) > 0 {
		form.Set("scope", strings.Join(c.Scopes, " "))
	}
	return form
}

func setAll(form url.Values, params map[string]string) {
	for key, value := range params {
		form.Set(key, value)
	}
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

func (c *Client) secret(public bool) (Secret, error) {
	if public || c.Secret == nil {
		return "", nil
	}
	secret, err := c.Secret()
	if err != nil {
		return "", newError(ActionConfig, "the client's secret cannot be had", hintConfig).because(err)
	}
	return secret, nil
}
