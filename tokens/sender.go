package tokens

import (
	"cmp"
	"net/url"
)

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
