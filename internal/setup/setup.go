// Package setup writes a configuration by what a person says of an API, and says what is to be done
// at its provider.
package setup

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"avsproxy/tokens"
)

// A Kind is how one gets in to an API.
type Kind string

const (
	AVS               Kind = "avs"
	Provider          Kind = "provider"           // a known one; a person logs in
	OAuth2            Kind = "oauth2"             // any other; a person logs in
	ClientCredentials Kind = "client_credentials" // nobody logs in
	Token             Kind = "token"              // one at hand
	Command           Kind = "command"            // a program prints it
)

// A Choice is a kind, with what people call it.
type Choice struct {
	Kind Kind
	Text string
}

// Kinds are all.
var Kinds = []Choice{
	{AVS, "Alexa Voice Service, with a product of yours at Amazon"},
	{Provider, "an API of a known provider: Google, Microsoft, GitHub, Spotify and others"},
	{OAuth2, "any other API that a person logs in to (OAuth 2.0 or OpenID Connect)"},
	{ClientCredentials, "an API that a program logs in to by client ID and secret"},
	{Token, "an API with a token that you have already"},
	{Command, "an API whose token a program prints, such as gcloud or az"},
}

// DefaultRedirectURL is where logins come back to, unless a configuration says otherwise.
const DefaultRedirectURL = "https://localhost:9745/authresponse"

// Answers are what is known of an API.
type Answers struct {
	Kind                      Kind
	Name                      string // of the route and the credential
	Upstream                  string
	Provider                  string // a name that [tokens.FindProvider] knows
	Region                    string // of amazon
	Issuer, AuthURL, TokenURL string
	RedirectURL               string // empty = DefaultRedirectURL
	ClientID                  string
	Secret                    string // where it comes from: "env:NAME", "file:/path", "keyring:service/user"; empty = there is none
	Scopes                    []string
	ProductID, DeviceSerial   string
	Command                   []string
	Resource                  string // RFC 8707; empty = none
	Registered                bool   // the provider gave the client ID just now
	CAFile                    string // with further roots of the API; empty = there are none
}

// A Question asks for what is missing.
type Question struct {
	Flag, Title, Help string
	Choices           []string // empty = free text
	Default           string
	Optional          bool
	Check             func(text string) error // nil = any text
	Set               func(text string)
}

// Accepts says what is wrong with an answer; nil = nothing is. An empty one means the default.
func (q *Question) Accepts(text string) error {
	switch text = strings.TrimSpace(text); {
	case text == "" && q.Default == "" && !q.Optional:
		return errors.New("this is needed")
	case text != "" && q.Check != nil:
		return q.Check(text)
	}
	return nil
}

// Questions are those of a kind, in their order. Those whose answers are known already are left out.
func (a *Answers) Questions() (all []Question) {
	text := func(into *string, q Question) {
		if *into == "" {
			q.Set = func(text string) { *into = strings.TrimSpace(text) }
			all = append(all, q)
		}
	}
	if a.Kind == Provider {
		text(&a.Provider, Question{Flag: "provider", Title: "Which provider?", Choices: slices.DeleteFunc(tokens.ProviderNames(), func(name string) bool { return name == "amazon" })})
	}
	if a.Kind == AVS {
		text(&a.Region, Question{Flag: "region", Title: "Where is the device used?", Help: "na = North America, eu = Europe, fe = Far East", Choices: []string{"na", "eu", "fe"}, Default: "na"})
	} else {
		text(&a.Upstream, Question{Flag: "upstream", Title: "What is the URL of the API?", Help: "such as https://api.example.com/v2", Check: checkURL})
		text(&a.Name, Question{Flag: "name", Title: "A short name for it?", Help: "lower-case letters, digits and hyphens; it is reached as NAME.localhost", Default: a.proposedName(), Check: checkName})
	}
	switch a.Kind {
	case Command:
		if len(a.Command) == 0 {
			all = append(all, Question{Flag: "command", Title: "Which command prints the token?", Help: "such as: gcloud auth print-access-token", Set: func(text string) { a.Command = strings.Fields(text) }})
		}
		return all
	case Token:
		text(&a.Secret, secretQuestion("secret", "Where is the token?", a.variable("TOKEN"), false))
		return all
	case OAuth2, ClientCredentials:
		if a.TokenURL == "" {
			text(&a.Issuer, Question{Flag: "issuer", Title: "What is the provider's issuer?", Help: "such as https://login.example.com; it tells the rest by itself (RFC 8414). For one that does not, begin again with --token-url, and --auth-url where a person logs in", Check: checkURL})
		} else if a.Kind == OAuth2 {
			text(&a.AuthURL, Question{Flag: "auth-url", Title: "What is the provider's authorization URL?", Check: checkURL})
		}
	}
	text(&a.ClientID, Question{Flag: "client-id", Title: "What is the client ID?", Help: strings.Join(a.Steps(), "\n")})
	if !a.Registered {
		text(&a.Secret, secretQuestion("secret", "Where is the client secret?", a.variable("CLIENT_SECRET"), a.Kind != ClientCredentials))
	}
	switch a.Kind {
	case AVS:
		text(&a.ProductID, Question{Flag: "product-id", Title: "What is the product ID?", Help: "it stands in the developer console at your product"})
		text(&a.DeviceSerial, Question{Flag: "device-serial-number", Title: "A serial number for this device?", Default: "1"})
	default:
		if len(a.Scopes) == 0 {
			all = append(all, Question{Flag: "scope", Title: "Which scopes does the API need?", Help: "with spaces between; " + a.scopeHelp(), Optional: true, Default: a.defaultScopes(), Set: func(text string) { a.Scopes = strings.Fields(text) }})
		}
	}
	return all
}

func secretQuestion(flag, title, variable string, optional bool) Question {
	q := Question{Flag: flag, Title: title, Default: "env:" + variable, Optional: optional, Check: checkSource,
		Help: "env:NAME, file:/path or keyring:service/user; the secret itself stays out of the file"}
	if optional {
		q.Help += "; none = the client has no secret"
	}
	return q
}

// variable is a name for an environment variable.
func (a *Answers) variable(what string) string {
	if a.Kind == AVS {
		return "AVS_" + what
	}
	return strings.ToUpper(strings.ReplaceAll(a.name(), "-", "_")) + "_" + what
}

func (a *Answers) name() string {
	switch {
	case a.Name != "":
		return a.Name
	case a.Kind == AVS:
		return "avs"
	}
	return a.proposedName()
}

// proposedName is a part of the API's host: not the first one where that is "api" or "www".
func (a *Answers) proposedName() string {
	if a.Provider != "" {
		return a.Provider
	}
	u, err := url.Parse(a.Upstream)
	if err != nil || u.Hostname() == "" {
		return "api"
	}
	for _, label := range strings.Split(strings.ToLower(u.Hostname()), ".") {
		if label != "api" && label != "www" && checkName(label) == nil {
			return label
		}
	}
	return "api"
}

func (a *Answers) defaultScopes() string {
	p, _ := tokens.FindProvider(a.Provider, a.Region)
	return strings.Join(p.Scopes, " ")
}

func checkURL(text string) error {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("it begins with https:// and a host, such as https://api.example.com")
	}
	return nil
}

func checkRedirectURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Path == "" {
		return fmt.Errorf("it has a scheme, a host and a path, such as %s", DefaultRedirectURL)
	}
	return nil
}

func checkName(text string) error {
	if !regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`).MatchString(text) {
		return fmt.Errorf("use lower-case letters, digits and inner hyphens")
	}
	return nil
}

func checkSource(text string) error {
	kind, name, _ := strings.Cut(text, ":")
	if text == "none" || name != "" && slices.Contains([]string{"env", "file", "keyring"}, kind) {
		return nil
	}
	return fmt.Errorf("write env:NAME, file:/path or keyring:service/user")
}

// Check finds what is wrong with an answer of the flags, which were not asked for.
func (a *Answers) Check() error {
	for _, c := range []struct {
		flag, text string
		check      func(string) error
	}{{"upstream", a.Upstream, checkURL}, {"name", a.Name, checkName}, {"secret", a.Secret, checkSource}, {"issuer", a.Issuer, checkURL}, {"token-url", a.TokenURL, checkURL}, {"auth-url", a.AuthURL, checkURL}, {"redirect-url", a.RedirectURL, checkRedirectURL}} {
		if c.text != "" {
			if err := c.check(c.text); err != nil {
				return fmt.Errorf("--%s: %w", c.flag, err)
			}
		}
	}
	return nil
}

// Config is the configuration, as text.
func (a *Answers) Config() string {
	const begin = `# Written by 'avsproxy init'. 'avsproxy config show --origin' prints what holds besides, and
# 'avsproxy doctor' looks whether it works.

sandbox = false

[[route]]
`
	var settings [][2]string
	set := func(key, text string) {
		if text != "" {
			settings = append(settings, [2]string{key, text})
		}
	}
	quoted := func(key, text string) {
		if text != "" {
			set(key, strconv.Quote(text))
		}
	}
	name := a.name()
	quoted("name", name)
	if a.Kind == AVS {
		quoted("preset", "avs")
		quoted("upstream", "https://alexa."+a.Region+".gateway.devices.a2z.com")
		quoted("probe", "GET /ping")
	} else {
		quoted("upstream", a.Upstream)
	}
	quoted("ca_file", a.CAFile)
	quoted("credential", name)
	route := table(settings)
	settings = nil
	a.credential(set, quoted)
	return begin + route + "\n[credential." + name + "]\n" + table(settings)
}

// table has each setting on a line, with the values below each other.
func table(settings [][2]string) string {
	width := 0
	for _, s := range settings {
		width = max(width, len(s[0]))
	}
	var b strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&b, "%-*s = %s\n", width, s[0], s[1])
	}
	return b.String()
}

func (a *Answers) credential(set, quoted func(key, text string)) {
	switch a.Kind {
	case Token:
		quoted("grant", "static")
		set("token", source(a.Secret))
		return
	case Command:
		quoted("grant", "command")
		set("command", list(a.Command))
		return
	case AVS:
		quoted("provider", "amazon")
	case Provider:
		quoted("provider", a.Provider)
	default:
		quoted("provider", "oauth2")
	}
	if a.Kind == ClientCredentials {
		quoted("grant", "client_credentials")
	}
	if a.TokenURL == "" {
		quoted("issuer", a.Issuer)
	}
	quoted("auth_url", a.AuthURL)
	quoted("token_url", a.TokenURL)
	quoted("client_id", a.ClientID)
	set("client_secret", source(a.Secret))
	quoted("redirect_url", a.RedirectURL)
	if len(a.Scopes) > 0 {
		set("scopes", list(a.Scopes))
	}
	quoted("product_id", a.ProductID)
	quoted("device_serial_number", a.DeviceSerial)
	if a.Kind == AVS && a.Region != "na" {
		quoted("region", a.Region)
	}
	if a.Resource != "" {
		resource := "{ resource = " + strconv.Quote(a.Resource) + " }"
		if a.Kind != ClientCredentials {
			set("auth_params", resource)
		}
		set("token_params", resource)
	}
}

func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = strconv.Quote(text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// KindNames lists all kinds.
func KindNames() string {
	var names []string
	for _, k := range Kinds {
		names = append(names, string(k.Kind))
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// source is where a secret comes from, as TOML; empty = there is none.
func source(text string) string {
	kind, name, ok := strings.Cut(text, ":")
	if !ok {
		return ""
	}
	return "{ " + kind + " = " + strconv.Quote(name) + " }"
}
