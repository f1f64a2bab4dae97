package config

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"avsproxy/tokens"
)

func (d *decoder) allCredentials(root *table, sandbox bool) map[string]Credential {
	d.credentials = map[string]*table{}
	credentials := map[string]Credential{}
	all := root.sub("credential", "a table; write [credential.NAME]")
	for name := range all.values {
		if _, isTable := all.values[name].(map[string]any); !isTable {
			all.report(name, "is outside of a credential", "credentials have names; write [credential.NAME] above it")
			continue
		}
		t := all.sub(name, "")
		t.checkCredentialName(name)
		d.credentials[name] = t
		credentials[name] = t.credential(name, sandbox)
	}
	return credentials
}

// checkCredentialName refuses names that cannot be file names of the store.
func (t *table) checkCredentialName(name string) {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`).MatchString(name) {
		t.d.report(t.at, "is not a name for a credential", "use lower-case letters, digits, hyphens and underscores")
	}
}

func (t *table) credential(name string, sandbox bool) Credential {
	c := Credential{
		Name:     name,
		Provider: t.oneOf("provider", t.text("provider", ""), append(tokens.ProviderNames(), "oauth2")),
		Grant:    t.grant(),

		RedirectURL:    "https://localhost:9745/authresponse",
		RedirectURLSet: t.has("redirect_url") && t.values["redirect_url"] != "",
		Region:         "na", Header: "Authorization", Format: "Bearer {token}",
		LoginReminder: 15 * time.Minute,
		Line:          t.at.line,
	}
	if c.Provider == "amazon" && c.Grant != "client_credentials" { // a client without a person has other scopes
		c.Scopes = []string{"alexa:all"}
	}
	t.decode(&c)
	t.checkCredential(c)
	t.checkGrant(c, sandbox)
	return c
}

// grant gets the grant. The two that RFC 9700, sections 2.1.2 and 2.4, advises
// against have messages of their own.
func (t *table) grant() string {
	instead := `use "authorization_code", or "device_code" where there is no browser`
	switch t.values["grant"] {
	case "password":
		t.report("grant", `"password" is refused, because it shows the person's password to the client and RFC 9700 forbids it`, instead)
	case "implicit":
		t.report("grant", `"implicit" is refused, because its tokens leak from the browser's address bar and RFC 9700 advises against it`, instead)
	default:
		return t.oneOf("grant", t.text("grant", "authorization_code"), []string{
			"authorization_code", "device_code", "client_credentials", "refresh_token", "static", "command", "remote"})
	}
	t.known = append(t.known, "grant")
	return ""
}

// checkCredential checks what does not depend on the grant.
func (t *table) checkCredential(c Credential) {
	if c.Issuer != "" {
		t.checkBase("issuer", c.Issuer)
	}
	t.reportIf(!httpguts.ValidHeaderFieldName(c.Header) || connectionField(c.Header), "header",
		"is not the name of a header that can carry a token", `write it like "Authorization"`)
	one := strings.Contains(c.Format, "{token}") != strings.Contains(c.Format, "{base64}")
	t.reportIf(!one || !httpguts.ValidHeaderFieldValue(c.Format), "format",
		"must be one line that contains either {token} or {base64}", `write it like "Bearer {token}" or "Basic {base64}"`)
	if len(c.OnLoginNeeded) > 0 {
		t.checkProgram("on_login_needed")
	}
	urls := map[string]string{"auth_url": c.AuthURL, "token_url": c.TokenURL, "device_url": c.DeviceURL, "revoke_url": c.RevokeURL}
	for key, text := range urls {
		if text != "" {
			t.checkHTTPS(key, text)
		}
	}
	t.checkParams("auth_params", c.AuthParams, "client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method")
	t.checkParams("token_params", c.TokenParams, "grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier", "refresh_token", "device_code")
	t.refusePlaceholder("client_id", c.ClientID)
	t.refusePlaceholder("product_id", c.ProductID)
	t.refusePlaceholder("device_serial_number", c.DeviceSerialNumber)
}

// checkParams refuses parameters that the login sets itself: another value could
// break it, or send its code elsewhere.
func (t *table) checkParams(key string, params map[string]string, ours ...string) {
	for _, name := range ours {
		_, set := params[name]
		t.reportIf(set, key, "must not set "+name, "the login sets it; leave it out here")
	}
}

// refusePlaceholder refuses a value to which the provider's answer would not help.
func (t *table) refusePlaceholder(key, text string) {
	t.reportIf(isPlaceholder(text), key, "is still a placeholder", "put your own value in its place")
}

func (t *table) checkGrant(c Credential, sandbox bool) {
	if c.Grant != "static" && c.Grant != "command" && c.Grant != "remote" && c.Grant != "" {
		t.require("provider", `name it, like "amazon", or write "oauth2" and its URLs`)
	}
	switch c.Grant {
	case "authorization_code":
		t.checkRedirect(c.RedirectURL)
		t.checkClient(c, sandbox, "auth_url", "token_url")
	case "device_code":
		t.checkClient(c, sandbox, "device_url", "token_url")
	case "client_credentials":
		t.checkClient(c, sandbox, "token_url")
	case "refresh_token":
		t.checkRenewal(c)
	case "static":
		t.require("token", `grant = "static" needs the token`)
		t.checkTokenKind("token", c.Token)
	case "command":
		t.require("command", `grant = "command" needs the program that prints the token, like ["prog", "arg"]`)
		t.checkProgram("command")
	case "remote":
		t.checkRemote(c)
	}
}

// checkRemote checks where the owner of a grant is. Over the network a token is given for a
// certificate alone.
func (t *table) checkRemote(c Credential) {
	t.require("url", `grant = "remote" needs the share of the avsproxy that owns the grant, like "https://owner.example:9747" or "unix:/path"`)
	path, isSocket := strings.CutPrefix(c.URL, "unix:")
	switch {
	case c.URL == "":
	case isSocket:
		t.reportIf(!filepath.IsAbs(path), "url", "is not the path of a socket", `write it like "unix:/run/avsproxy/share"`)
	default:
		t.checkHTTPS("url", c.URL)
		t.require("tls_cert", "the owner knows by it who takes its tokens")
		t.require("tls_key", "it belongs to tls_cert")
	}
}

// checkClient requires what a client needs to ask for tokens at these endpoints.
func (t *table) checkClient(c Credential, sandbox bool, endpoints ...string) {
	if sandbox {
		return // the sandbox has its own client and product, and other providers are refused
	}
	t.require("client_id", "copy it from the provider's page of your application")
	if c.Grant == "client_credentials" {
		t.require("client_secret", `grant = "client_credentials" has nothing else to prove who asks`)
	}
	t.checkEndpoints(c, endpoints...)
	if c.Provider == "amazon" && slices.Contains(c.Scopes, "alexa:all") {
		t.require("product_id", "the scope alexa:all needs it; it is the ID of your product in the Alexa developer console")
		t.require("device_serial_number", `the scope alexa:all needs it; any text that names this device, like "1"`)
	}
}

// checkEndpoints requires the URLs that neither the provider's name nor its issuer
// gives.
func (t *table) checkEndpoints(c Credential, keys ...string) {
	known, found := tokens.FindProvider(c.Provider, c.Region)
	issuer := t.has("issuer") && t.values["issuer"] != ""                 // one of the wrong type is reported already
	if issuer || known.Issuer != "" || !found && c.Provider != "oauth2" { // as is a wrong name
		return
	}
	has := map[string]string{"auth_url": known.AuthURL, "token_url": known.TokenURL, "device_url": known.DeviceURL}
	pages := map[string]string{"auth_url": "authorization page", "token_url": "token endpoint", "device_url": "device authorization endpoint"}
	for _, key := range keys {
		if has[key] == "" {
			t.require(key, "write the URL of the provider's "+pages[key]+", or its issuer")
		}
	}
}

// checkRenewal does not require the refresh token: a login can bring it.
func (t *table) checkRenewal(c Credential) {
	t.checkTokenKind("refresh_token", c.RefreshToken)
	t.checkEndpoints(c, "token_url")
	if c.Provider != "oauth2" && c.Provider != "" {
		t.require("client_id", "the client that the refresh token was issued to")
	}
}

func (t *table) checkTokenKind(key string, s SecretRef) {
	t.d.reportError(t.at.key(key), s.checkTokenKind(s.text))
}

// checkRedirect requires a URL of this machine: the provider sends the person's
// browser to it.
func (t *table) checkRedirect(text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || !validPort(u):
		t.report("redirect_url", "is not a URL", `write it like "https://localhost:9745/authresponse"`)
	case !loopback(u.Hostname()):
		t.report("redirect_url", "must be on this machine", `use localhost, like "https://localhost:9745/authresponse"`)
	case u.Path == "":
		t.report("redirect_url", "has no path", `write it like "https://localhost:9745/authresponse"`)
	case u.User != nil || strings.Contains(text, "#"):
		t.report("redirect_url", "must not have a user name, password or fragment", "the provider compares it byte by byte with the registered one")
	}
}

// requireSecretsOf requires the secrets that the grant uses.
func (t *table) requireSecretsOf(c Credential) {
	switch c.Grant {
	case "authorization_code", "device_code", "client_credentials":
		t.requireReadable("client_secret", c.ClientSecret)
	case "refresh_token":
		t.requireReadable("client_secret", c.ClientSecret)
		t.requireReadable("refresh_token", c.RefreshToken)
	case "static":
		t.requireReadable("token", c.Token)
	}
}
