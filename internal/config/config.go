// Package config turns config.toml into a checked value, or into the full
// list of issues: each with its line, its key and what to do about it.
//
// Two rules hold throughout. Issues quote the keys of the file but not its
// values, because a secret may have been pasted into any of them; only well
// formed names (of routes, credentials and environment variables) and words of
// the file format are repeated. And a setting that this version does not
// honour is refused, never ignored.
package config

import "time"

// Config is a whole configuration, checked and with every default filled in.
type Config struct {
	File    string // the file it came from, as it was named
	Sandbox bool   // use the embedded stand-in instead of Amazon

	Proxy       Proxy
	Console     Console
	Store       Store
	Capture     Capture
	Routes      []Route // never empty; the first is the default
	Credentials map[string]Credential

	// SecretVariables are the environment variables that secrets are read from.
	SecretVariables []string
}

// Proxy says where requests are taken and from whom.
type Proxy struct {
	Listen     []string  // each "host:port" (port 0: any free one) or "unix:/path"
	Others     string    // forward requests to hosts without a route: "reject" or "tunnel"
	ClientKey  SecretRef // zero: callers need no key; never zero when a Listen is not loopback
	AllowUsers []string  // names or numeric IDs of local users who may come in besides the one it runs as and root
	// DecisionHeader has each answer of a route say what was decided about its request.
	DecisionHeader bool
}

// Console says where the local pages are served.
type Console struct {
	Listen string   // "host:port", always loopback; port 0: any free one
	Hosts  []string // further names that browsers may call it by, such as a forwarded port
}

// Store says where logins are kept.
type Store struct {
	Kind string // "file", "keyring" or "memory"
	Path string // the state folder, whatever the kind; empty only where the kind is "memory" and no place is known
}

// Capture bounds what is remembered of recent exchanges.
type Capture struct {
	Enabled bool
	Body    int64 // bytes kept of each body
	Total   int64 // bytes kept in all
}

// Route sends the requests of some hosts to one upstream with one credential.
// What a preset fills in and the file does not say is filled in.
type Route struct {
	Name       string // a lower-case DNS label, unique
	Upstream   string // https URL, perhaps with a path prefix
	Credential string // a key of Config.Credentials; empty: nothing is injected
	Preset     string // empty: none

	CAFile  string // extra roots for the upstream, PEM; empty: none
	TLSCert string // with TLSKey: the certificate for mutual TLS, PEM; empty: none
	TLSKey  string

	Headers map[string]string // added to each request; may be nil
	Header  string            // field that carries the token; empty: the credential's
	Format  string            // its value, with {token} or {base64}; empty: the credential's

	Allow      []string // "METHOD /path"; empty: everything
	ClientAuth string   // the client's own Authorization: "replace", "keep" or "reject"
	Strip      []string // further header fields of the client's that are not sent on
	HealOn     []int    // statuses that mean "token refused"

	AllowOrigin     []string // values of Origin with which programs, not pages, may come
	RewriteLocation bool     // a Location to the upstream leads to where the client came in

	TokenEndpoint bool // answer the client's own token requests, with a token that stands for ours; never without a Credential
	WebSocket     bool // let connections become WebSockets

	SerializeEvents bool   // send events to AVS one after another
	Synchronize     bool   // send SynchronizeState when a downchannel opened; never without a Credential
	FollowGateway   bool   // move when AVS names another gateway; never without a Credential
	Downchannel     string // AVS's stream of directives: "pass" it, or "keep" it, which needs a Credential

	SingleConnection bool          // at most one HTTP/2 connection to the upstream
	PingInterval     time.Duration // 0: no pings
	DialTimeout      time.Duration // 0: none of our own
	HeaderTimeout    time.Duration // 0: wait as long as the client does
	Hosts            []string      // further names that mean this route, "host" or "host:port", lower case

	Line int // where the file defines it
}

// Credential is one identity at one provider and the way to get its tokens.
type Credential struct {
	Name     string
	Provider string // "amazon", another known name, or "oauth2"; may be empty when Grant is "static" or "command"
	Grant    string // "authorization_code", "device_code", "client_credentials", "refresh_token", "static" or "command"

	ClientID     string
	ClientSecret SecretRef // zero: a public client; never zero when Grant is "client_credentials", outside the sandbox
	PKCE         string    // of logins by browser: "S256" or "off"; empty: as the provider has it, else "S256"
	TokenAuth    string    // how the two are sent for tokens: "body" or "basic"; empty: as the provider has it, else "body"

	RedirectURL    string // http or https on a loopback host; port 0: the console's
	RedirectURLSet bool   // the file said it, so it must not be adapted
	Scopes         []string

	ProductID          string
	DeviceSerialNumber string
	Region             string // "na", "eu" or "fe"

	AuthURL   string // empty: as the provider's name or Issuer tells, like the next three
	TokenURL  string
	DeviceURL string
	RevokeURL string
	Issuer    string // https URL whose metadata (RFC 8414) names the endpoints that are empty above; may be empty

	AuthParams  map[string]string // added to the authorization request
	TokenParams map[string]string // added to token requests

	Header string // field that carries the token
	Format string // its value, with either {token} or {base64}: the token in base64, for Basic (RFC 7617)

	RefreshToken SecretRef // for the grant "refresh_token"; zero: a login imports it
	Token        SecretRef // for the grant "static"
	Command      []string  // for the grant "command": the program that prints the token, and its arguments

	KeepWarm           bool          // renew in the background while no request comes, too
	RefreshTokenMaxAge time.Duration // how long refresh tokens live; 0: unknown
	OnLoginNeeded      []string      // program and arguments, run when a person has to log in; empty: none
	LoginReminder      time.Duration // how often it runs again while the login is still needed; 0: never

	Line int // where the file defines it
}
