package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

func (d *decoder) allCredentials(root *table, sandbox bool) map[string]Credential {
	d.credentials = map[string]*table{}
	credentials := map[string]Credential{}
	all := root.sub("credential", "a table; write [credential.NAME]")
	for name := range all.values {
		if _, isTable := all.values[name].(map[string]any); !isTable {
			all.complain(name, "stands outside of a credential", "credentials have names; write [credential.NAME] above it")
			continue
		}
		t := all.sub(name, "")
		t.checkCredentialName(name)
		d.credentials[name] = t
		credentials[name] = t.credential(name, sandbox)
	}
	return credentials
}

// checkCredentialName keeps names fit for file names, since the store uses
// them so.
func (t *table) checkCredentialName(name string) {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`).MatchString(name) {
		t.d.complain(t.at, "is not a name for a credential", "use lower-case letters, digits, hyphens and underscores")
	}
}

func (t *table) credential(name string, sandbox bool) Credential {
	c := Credential{
		Name:         name,
		Provider:     t.oneOf("provider", "", []string{"amazon", "oauth2"}),
		Grant:        t.grant(),
		ClientID:     t.text("client_id", ""),
		ClientSecret: t.secret("client_secret"),

		RedirectURL:    t.text("redirect_url", "https://localhost:9745/authresponse"),
		RedirectURLSet: t.has("redirect_url") && t.values["redirect_url"] != "",

		ProductID:          t.text("product_id", ""),
		DeviceSerialNumber: t.text("device_serial_number", ""),
		Region:             t.oneOf("region", "na", []string{"na", "eu", "fe"}),

		AuthURL:     t.text("auth_url", ""),
		TokenURL:    t.text("token_url", ""),
		DeviceURL:   t.text("device_url", ""),
		RevokeURL:   t.text("revoke_url", ""),
		Issuer:      t.text("issuer", ""),
		AuthParams:  t.pairs("auth_params"),
		TokenParams: t.pairs("token_params"),

		Header: t.text("header", "Authorization"),
		Format: t.text("format", "Bearer {token}"),

		RefreshToken: t.secret("refresh_token"),
		Token:        t.secret("token"),
		Command:      t.texts("command", nil),
		Line:         t.at.line,
	}
	c.Scopes = t.texts("scopes", defaultScopes(c.Provider))
	t.finish()
	t.checkCredential(c)
	t.checkGrant(c, sandbox)
	return c
}

func (t *table) grant() string {
	return t.oneOf("grant", "authorization_code",
		[]string{"authorization_code", "refresh_token", "static"},
		"device_code", "client_credentials", "command")
}

func defaultScopes(provider string) []string {
	if provider == "amazon" {
		return []string{"alexa:all"}
	}
	return nil
}

// checkCredential checks what does not depend on the grant.
func (t *table) checkCredential(c Credential) {
	if c.Issuer != "" {
		t.complain("issuer", "is not supported by this version", "spell out auth_url and token_url")
	}
	if !isFieldName(c.Header) || connectionField(c.Header) {
		t.complain("header", "is not the name of a header that can carry a token", `write it like "Authorization"`)
	}
	if !strings.Contains(c.Format, "{token}") || !isFieldValue(c.Format) {
		t.complain("format", "must be one line that contains {token}", `write it like "Bearer {token}"`)
	}
	urls := map[string]string{"auth_url": c.AuthURL, "token_url": c.TokenURL, "device_url": c.DeviceURL, "revoke_url": c.RevokeURL}
	for key, text := range urls {
		if text != "" {
			t.checkHTTPS(key, text)
		}
	}
	t.checkParams("auth_params", c.AuthParams, "client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method")
	t.checkParams("token_params", c.TokenParams, "grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier", "refresh_token")
	t.refusePlaceholder("client_id", c.ClientID)
	t.refusePlaceholder("product_id", c.ProductID)
}

// checkParams refuses what the login sets itself: another value could only break
// it, or send its code elsewhere.
func (t *table) checkParams(key string, params map[string]string, ours ...string) {
	for _, name := range ours {
		if _, set := params[name]; set {
			t.complain(key, "must not set "+name, "the login sets it; leave it out here")
		}
	}
}

// refusePlaceholder names what would come back from the provider as a riddle.
func (t *table) refusePlaceholder(key, text string) {
	if isPlaceholder(text) {
		t.complain(key, "is still a placeholder", "put your own value in its place")
	}
}

func (t *table) checkGrant(c Credential, sandbox bool) {
	if c.Grant != "static" {
		t.require("provider", `write provider = "amazon" or "oauth2"`)
	}
	switch c.Grant {
	case "authorization_code":
		t.checkLogin(c, sandbox)
	case "refresh_token":
		t.checkRenewal(c)
	case "static":
		t.require("token", `grant = "static" needs the token`)
		if strings.HasPrefix(c.Token.text.Reveal(), "Atzr|") {
			t.complain("token", "holds a refresh token (Atzr|), not an access token (Atza|)", `use grant = "refresh_token"`)
		}
	}
}

func (t *table) checkLogin(c Credential, sandbox bool) {
	t.checkRedirect(c.RedirectURL)
	if sandbox {
		return // it has a client and a product of its own, and other providers are refused
	}
	t.require("client_id", "copy it from the provider's page of your application")
	switch c.Provider {
	case "oauth2":
		t.require("auth_url", "the URL of the provider's authorization page")
		t.require("token_url", "the URL of the provider's token endpoint")
	case "amazon":
		if slices.Contains(c.Scopes, "alexa:all") {
			t.require("product_id", "the scope alexa:all needs it; it is the ID of your product in the Alexa developer console")
			t.require("device_serial_number", `the scope alexa:all needs it; any text that names this device, like "1"`)
		}
	}
}

// checkRedirect wants what can be answered here: the provider sends the
// person's browser to it.
func (t *table) checkRedirect(text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || !validPort(u):
		t.complain("redirect_url", "is not a URL", `write it like "https://localhost:9745/authresponse"`)
	case !loopback(u.Hostname()):
		t.complain("redirect_url", "must be on this machine", `use localhost, like "https://localhost:9745/authresponse"`)
	case u.Path == "":
		t.complain("redirect_url", "has no path", `write it like "https://localhost:9745/authresponse"`)
	case u.User != nil || strings.Contains(text, "#"):
		t.complain("redirect_url", "must not have a user name, password or fragment", "the provider compares it byte by byte with the registered one")
	}
}

func (t *table) checkRenewal(c Credential) {
	t.require("refresh_token", `grant = "refresh_token" needs the refresh token`)
	if strings.HasPrefix(c.RefreshToken.text.Reveal(), "Atza|") {
		t.complain("refresh_token", "holds an access token (Atza|), not a refresh token (Atzr|)", `use the refresh token, or grant = "static"`)
	}
	switch c.Provider {
	case "oauth2":
		t.require("token_url", "the URL of the provider's token endpoint")
	case "amazon":
		t.require("client_id", "the client that the refresh token was issued to")
	}
}
