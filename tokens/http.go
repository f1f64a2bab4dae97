package tokens

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// callTimeout bounds a call to the provider in which nothing can be lost.
const callTimeout = 30 * time.Second

// httpClient follows no redirects.
func (c *Client) httpClient() *http.Client {
	var client http.Client
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// A request is one form for one endpoint of the provider.
type request struct {
	endpoint  string // its name in the configuration
	form      url.Values
	public    bool // without the secret
	anonymous bool // without client_id
}

// call sends a request, and once more with ID and secret in a header where that may
// be what the provider wants. The error is an [*Error]; where it is about the call,
// there was no response at all.
func (c *Client) call(ctx context.Context, r request) (*response, error) {
	secret, err := c.secret(r.public)
	if err != nil {
		return nil, err
	}
	address, err := c.endpoint(ctx, r.endpoint)
	if err != nil {
		return nil, err
	}
	if !r.form.Has("grant_type") {
		r.form["grant_type"] = nil // else clientcredentials adds its own
	}
	conf := &clientcredentials.Config{
		ClientID: c.ID, ClientSecret: secret.Reveal(), TokenURL: address, EndpointParams: r.form,
		AuthStyle: oauth2.AuthStyleInParams, // probing, as x/oauth2 does it, would send a single-use code twice
	}
	if r.anonymous {
		conf.ClientID = ""
	}
	if (c.Basic || c.inHeader.Load()) && !secret.IsZero() {
		conf.AuthStyle = oauth2.AuthStyleInHeader
	}
	first, err := c.send(ctx, conf, r.endpoint)
	if err != nil || secret.IsZero() || !c.TryBasic || first.code() != "invalid_client" || !c.inHeader.CompareAndSwap(false, true) {
		return first, err
	}
	conf.AuthStyle = oauth2.AuthStyleInHeader
	second, err := c.send(ctx, conf, r.endpoint)
	if err != nil || !second.isTokenResponse() && second.str("device_code") == "" {
		c.inHeader.Store(false) // it proves nothing about the way
	}
	if err == nil && second.code() == "invalid_client" {
		return first, nil
	}
	return second, err
}

// send has x/oauth2 send one request, and reads the response itself: x/oauth2 throws
// away whole responses, with the rotated refresh token in them, for a wrong
// Content-Type or one odd member. Package clientcredentials lets a form name any grant.
func (c *Client) send(ctx context.Context, conf *clientcredentials.Config, endpoint string) (*response, error) {
	client := c.httpClient()
	reader := &responseReader{client: c, next: cmp.Or(client.Transport, http.DefaultTransport), asksJSON: endpoint != tokenURL}
	client.Transport = reader
	_, err := conf.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	if reader.got != nil {
		return reader.got, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return nil, unreachable(err)
}

// A responseReader keeps the response of one call from x/oauth2.
type responseReader struct {
	client   *Client
	next     http.RoundTripper
	asksJSON bool // else GitHub answers its device endpoint with a form
	got      *response
}

var errResponseRead = errors.New("the answer was read")

func (r *responseReader) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())                // a RoundTripper must not change the request it was given
	req.Header.Set("Accept-Encoding", "identity") // or net/http would unpack the response, and lose what it cannot unpack
	if r.asksJSON {
		req.Header.Set("Accept", "application/json")
	}
	sent := time.Now()
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if date, bad := http.ParseTime(resp.Header.Get("Date")); bad == nil {
		r.client.compareClocks(date, sent, time.Since(sent))
	}
	r.got = readResponse(resp)
	return nil, errResponseRead
}

// skewLeast is more than the time a response takes on its way, and the rounding of Date
// to seconds, can amount to.
const skewLeast = 30 * time.Second

// Skew is how far this machine's clock is ahead of the provider's, by the Date
// header of the last response from one of its endpoints, to the second; negative =
// behind it. Zero = not known, or within 30 s, which harms nobody.
func (c *Client) Skew() time.Duration { return time.Duration(c.skew.Load()) }

func (c *Client) compareClocks(date, sent time.Time, took time.Duration) {
	c.skew.Store(int64(SkewOf(date, sent, took)))
}

// SkewOf is the skew by one answer with that Date, to a request that was sent at a time of this
// machine's and took so long; see [Client.Skew].
func SkewOf(date, sent time.Time, took time.Duration) time.Duration {
	skew := sent.Round(0).Add(took / 2).Sub(date).Round(time.Second)
	if skew.Abs() <= skewLeast {
		return 0
	}
	return skew
}

// The endpoints by their names in the configuration.
const (
	authURL   = "auth_url"
	tokenURL  = "token_url"
	deviceURL = "device_url"
	revokeURL = "revoke_url"
)

// endpoint returns an address as configured, else as discovered. Each is looked
// for by itself: a provider whose discovery is down must not keep what is spelled
// out from being used. Only revoke_url may be empty.
func (c *Client) endpoint(ctx context.Context, key string) (string, error) {
	configured := metadata{AuthURL: c.AuthURL, TokenURL: c.TokenURL, DeviceURL: c.DeviceURL, RevokeURL: c.RevokeURL}
	address := configured.endpoints()[key]
	if address == "" && c.Issuer != "" {
		found, err := c.discovery.lookup(ctx, c.Issuer, c.httpClient())
		if err != nil {
			return "", err
		}
		address = found.endpoints()[key]
	}
	if address == "" && key != revokeURL {
		return "", newError(ActionConfig, "the provider has no "+key+" that is known here", "spell out "+key+"; without one the provider does not offer this grant")
	}
	return address, nil
}

// checkSender refuses a callback that another provider sent, or may have sent (RFC
// 9207 section 2.4, RFC 9700 section 4.4): a hostile provider leads the browser on to
// another one, whose code would then be sent to the hostile one's token endpoint.
func (c *Client) checkSender(asked *url.URL) error {
	if !sameEndpoint(asked, c.RedirectURL) {
		return newError(ActionLogin, "the address is not this login's return URL, "+c.RedirectURL,
			"start the login again; should that fail too, check which provider the browser is sent to: it may lead logins to another one")
	}
	said := asked.Query()["iss"]
	known := c.discovery.found.Load()
	promised := known != nil && known.SaysIssuer
	if len(said) == 0 && !promised || len(said) == 1 && c.isIssuer(said[0]) {
		return nil
	}
	if c.Issuer == "" {
		return newError(ActionLogin, "the callback comes from an issuer that is not at the host of auth_url",
			"check which provider the browser was sent to; if it was the right one, set issuer of the credential to what the provider gives as its own")
	}
	return newError(ActionLogin, "the callback does not come from the configured issuer",
		"start the login again; should that fail too, check issuer, and which provider the browser was sent to")
}

// isIssuer reports whether a callback's iss is this provider's. Where the issuer is
// not configured, it must at least be at the host that the browser was sent to.
func (c *Client) isIssuer(iss string) bool {
	if c.Issuer != "" {
		return iss == c.Issuer
	}
	said, err := url.Parse(iss)
	sent, err2 := url.Parse(c.AuthURL)
	return err == nil && err2 == nil && said.Scheme == sent.Scheme && said.Host == sent.Host
}

// sameEndpoint reports whether a browser asked for the redirect URI. Its host does
// not count: this machine has several names.
func sameEndpoint(asked *url.URL, redirectURL string) bool {
	redirect, err := url.Parse(redirectURL)
	return err == nil && asked.Scheme == redirect.Scheme && port(asked) == port(redirect) &&
		cmp.Or(asked.EscapedPath(), "/") == cmp.Or(redirect.EscapedPath(), "/")
}

func port(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}
