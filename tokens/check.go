package tokens

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// Check asks the provider whether it knows the client by its ID and secret. It redeems a code that
// cannot be one: a provider that knows the client answers invalid_grant (RFC 6749 section 5.2), and
// nothing is spent. kind is the grant that the client is for, as in [Grant.Kind]: a client for
// another one may be refused as unauthorized_client, which says that it is known. The error is an
// [*Error].
func (c *Client) Check(ctx context.Context, kind string) error {
	form := url.Values{"grant_type": {codeKind}, "code": {"no-such-code-" + rand.Text()}}
	if c.RedirectURL != "" {
		form.Set("redirect_uri", c.RedirectURL)
	}
	if !c.NoPKCE {
		form.Set("code_verifier", oauth2.GenerateVerifier())
	}
	resp, err := c.call(ctx, request{endpoint: tokenURL, form: form, public: c.isPublic(Grant{Kind: kind})})
	if err != nil {
		return asError(err)
	}
	switch code := resp.nearestCode(); {
	case code == "invalid_client", code == "unauthorized_client" && kind == codeKind:
		return refusal(code)
	case code == "incorrect_client_credentials": // GitHub's word
		return refusal("invalid_client")
	case resp.isTemporary():
		return strangeResponse(resp)
	case code == "":
		return newError(ActionConfig, fmt.Sprintf("what should be the token endpoint answers with %d, and names no error as one does (RFC 6749 section 5.2)", resp.status),
			"check token_url, or issuer")
	}
	return nil
}

// CheckLogin takes the first step of a login, as a browser would, and no other. The error is an
// [*Error] where the provider refuses the client, its redirect URL or its scopes. Nil = it does
// not: some tell that to a person alone, on a page.
func (c *Client) CheckLogin(ctx context.Context) error {
	address, err := c.authURL(ctx, rand.Text(), oauth2.GenerateVerifier())
	if err != nil {
		return asError(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return newError(ActionConfig, "the authorization URL cannot be used", "check auth_url").because(errors.Unwrap(err))
	}
	resp, err := c.httpClient().Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer resp.Body.Close()
	to, _ := resp.Location()
	switch {
	case to != nil && strings.HasPrefix(to.String(), c.RedirectURL) && to.Query().Has("error"):
		return redirectError(to.Query().Get("error"), to.Query().Get("error_description"))
	case resp.StatusCode == http.StatusBadRequest, resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusNotFound:
		return newError(ActionConfig, fmt.Sprintf("the provider answers the beginning of a login with %d", resp.StatusCode),
			"register the redirect URL "+c.RedirectURL+" there, letter for letter, and check client_id and scopes")
	}
	return nil
}
