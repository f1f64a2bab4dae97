package tokens

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"avsproxy/internal/charset"

	"golang.org/x/oauth2"
)

// Check asks the provider whether it knows the client by its ID and secret. It redeems a code that
// cannot be one: who knows the client answers invalid_grant (RFC 6749 section 5.2), and nothing is
// spent. The error is an [*Error]; nil = it knows the client, or does not tell.
func (c *Client) Check(ctx context.Context) error {
	form := url.Values{"grant_type": {codeKind}, "code": {"no-such-code-" + rand.Text()}}
	if c.RedirectURL != "" {
		form.Set("redirect_uri", c.RedirectURL)
	}
	if !c.NoPKCE {
		form.Set("code_verifier", oauth2.GenerateVerifier())
	}
	resp, err := c.call(ctx, request{endpoint: tokenURL, form: form})
	if err != nil {
		return asError(err)
	}
	switch code := resp.code(); code {
	case "invalid_client", "unauthorized_client":
		return &Error{Action: ActionConfig, Code: code, Message: "the provider does not take client_id and client_secret (" + code + ")",
			Hint: "copy both again from the provider's console"}
	}
	return nil
}

// CheckLogin asks the provider whether a login could begin: whether it knows the redirect URL and
// the scopes. It takes the first step of one, without a person. The error is an [*Error]; nil = it
// would show its login page, or does not tell.
func (c *Client) CheckLogin(ctx context.Context) error {
	address, err := c.authURL(ctx, rand.Text(), oauth2.GenerateVerifier())
	if err != nil {
		return asError(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return asError(err)
	}
	resp, err := c.httpClient().Do(req)
	if err != nil {
		return asError(unreachable(err))
	}
	defer resp.Body.Close()
	to, _ := resp.Location()
	switch {
	case to != nil && strings.HasPrefix(to.String(), c.RedirectURL) && to.Query().Get("error") != "":
		code := to.Query().Get("error")
		return &Error{Action: ActionConfig, Code: code, Message: "the provider refuses a login (" + charset.Printable(code) + ")", Hint: loginHints[code]}
	case resp.StatusCode >= http.StatusBadRequest:
		return &Error{Action: ActionConfig, Message: fmt.Sprintf("the provider answers the beginning of a login with %d", resp.StatusCode),
			Hint: "register the redirect URL " + c.RedirectURL + " there, letter for letter, and check client_id"}
	}
	return nil
}

var loginHints = map[string]string{
	"invalid_scope":       "take out of scopes what this client may not ask for, or allow it in the provider's console",
	"unauthorized_client": "allow this client the authorization code grant, in the provider's console",
	"invalid_request":     "check the redirect URL, scopes and auth_params",
}
