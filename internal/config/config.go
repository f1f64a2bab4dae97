// Package config turns config.toml into a checked value, or into the list of all
// issues: each with its line, its key and what to do about it.
//
// Two rules hold. Issues quote the keys of the file but not its values, because any
// of them may be a secret; only well-formed names (of routes, credentials and
// environment variables) and words of the file format are repeated. A setting that
// this version does not know is refused, never ignored.
package config

import "time"

// Config is a whole configuration, checked, with every default filled in.
type Config struct {
	File    string // the file as the caller named it
	Sandbox bool   // use the embedded sandbox instead of Amazon

	Proxy       Proxy
	Console     Console
	Store       Store
	Capture     Capture
	Routes      []Route // never empty; the first is the default
	Credentials map[string]Credential

	// SecretVariables are the environment variables that secrets are read from.
	SecretVariables []string
}

// Proxy is where the proxy listens, and for whom.
type Proxy struct {
	Listen     []string  // each "host:port" (port 0: any free one) or "unix:/path"
	Others     string    // forward requests to hosts without a route: "reject" or "tunnel"
	ClientKey  SecretRef // zero: callers need no key; never zero when a Listen is not loopback
	AllowUsers []string  // names or numeric IDs of further local users; the user it runs as and root are always allowed
	// DecisionHeader adds the decision about a request to its answer.
	DecisionHeader bool
}

// Console is where the local pages are.
type Console struct {
	Listen string   // "host:port", always loopback; port 0: any free one
	Hosts  []string // further names of the console in browsers, such as a forwarded port
}

// Store is where grants are stored.
type Store struct {
	Kind string // "file", "keyring" or "memory"
	Path string // the state folder of every kind; empty only when Kind is "memory" and no folder is known
}

// Capture limits what is recorded of recent exchanges.
type Capture struct {
	Enabled bool
	Body    int64 // bytes of each body
	Total   int64 // bytes in all
}

// Route sends the requests for some hosts to one upstream with one credential. It has
// the values of its preset where the file has none.
type Route struct {
	Name       string // a lower-case DNS label, unique
	Upstream   string // https URL, perhaps with a path prefix
	Credential string // a key of Config.Credentials; empty: nothing is injected
	Preset     string // empty: none

	CAFile  string // extra roots for the upstream, PEM; empty: none
	TLSCert string // with TLSKey: the certificate for mutual TLS, PEM; empty: none
	TLSKey  string

	Headers map[string]string // added to each request; may be nil
	Header  string            // the header of the token; empty: the credential's
	Format  string            // its value, with {token} or {base64}; empty: the credential's

	Allow      []string // "METHOD /path"; empty: everything
	ClientAuth string   // what happens to the client's Authorization: "replace", "keep" or "reject"
	Strip      []string // further request headers that are removed
	HealOn     []int    // statuses that mean "token refused"

	AllowOrigin     []string // values of Origin that are accepted from programs
	RewriteLocation bool     // a Location with the upstream's origin gets the proxy's

	TokenEndpoint bool // answer the client's own token requests with a placeholder token; needs a Credential
	WebSocket     bool // allow WebSockets

	SerializeEvents bool   // send events to AVS one after another
	Synchronize     bool   // send SynchronizeState when a downchannel opened; needs a Credential
	FollowGateway   bool   // follow AVS to another gateway; needs a Credential
	Downchannel     string // "pass" AVS's stream of directives, or "keep" it open; "keep" needs a Credential

	SingleConnection bool          // at most one HTTP/2 connection to the upstream
	PingInterval     time.Duration // 0: no pings
	DialTimeout      time.Duration // 0: no limit
	HeaderTimeout    time.Duration // 0: as long as the client waits
	Hosts            []string      // further names of this route, "host" or "host:port", lower case

	Line int // of the file
}

// Credential is one identity at one provider and the way to get its tokens.
type Credential struct {
	Name     string
	Provider string // "amazon", another known name, or "oauth2"; may be empty when Grant is "static" or "command"
	Grant    string // "authorization_code", "device_code", "client_credentials", "refresh_token", "static" or "command"

	ClientID     string
	ClientSecret SecretRef // zero: a public client; outside the sandbox never zero when Grant is "client_credentials"
	PKCE         string    // of logins in a browser: "S256" or "off"; empty: the provider's, else "S256"
	TokenAuth    string    // how token requests have ID and secret: "body" or "basic"; empty: the provider's, else "body"

	RedirectURL    string // http or https on a loopback host; port 0: the console's
	RedirectURLSet bool   // in the file, so it must not change
	Scopes         []string

	ProductID          string
	DeviceSerialNumber string
	Region             string // "na", "eu" or "fe"

	AuthURL   string // empty: the provider's or Issuer's; also the next three
	TokenURL  string
	DeviceURL string
	RevokeURL string
	Issuer    string // https URL whose metadata (RFC 8414) has the endpoints that are empty above; may be empty

	AuthParams  map[string]string // added to the authorization request
	TokenParams map[string]string // added to token requests

	Header string // the header of the token
	Format string // its value, with {token} or {base64}: the token in base64, for Basic (RFC 7617)

	RefreshToken SecretRef // for the grant "refresh_token"; zero: a login imports it
	Token        SecretRef // for the grant "static"
	Command      []string  // for the grant "command": the program that prints the token, and its arguments

	KeepWarm           bool          // renew without requests too
	RefreshTokenMaxAge time.Duration // how long refresh tokens live; 0: unknown
	OnLoginNeeded      []string      // program and arguments, run when a login is needed; empty: none
	LoginReminder      time.Duration // how often it runs again until the login; 0: never

	Line int // of the file
}
