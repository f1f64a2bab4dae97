// Package config turns config.toml into a checked value, or into the list of all
// issues: each with its line, its key and what to do about it.
//
// Two rules hold. Issues quote the keys of the file but not its values, because any
// of them may be a secret; only well-formed names (of routes, credentials and
// environment variables) and words of the file format are repeated. A setting that
// this version does not know is refused, never ignored.
//
// A setting is a field with a tag toml. Its default is where its table is decoded, its
// check next to that.
package config

import "time"

// Config is a whole configuration, checked, with every default filled in.
type Config struct {
	File    string // the file as the caller named it; empty = the one that comes with the program
	Sandbox bool   // use the embedded sandbox instead of Amazon

	Proxy       Proxy
	Console     Console
	Store       Store
	Capture     Capture
	Share       Share
	Routes      []Route // never empty; the first is the default
	Credentials map[string]Credential

	// SecretVariables are the environment variables that secrets are read from.
	SecretVariables []string
	// SecretFiles are the files that secrets are read from, the configuration among them.
	SecretFiles []string
	// Lines are those of the settings in the file, by names such as proxy.listen and route[0].name.
	Lines map[string]int
}

// Proxy is where the proxy listens, and for whom.
type Proxy struct {
	Listen     []string  // each "host:port" (port 0: any free one) or "unix:/path"
	Others     string    `toml:"others" oneof:"reject tunnel"` // forward requests to hosts without a route: "reject" or "tunnel"
	Engine     string    `toml:"engine" oneof:"auto standard"` // what relays HTTP/2: "auto" or "standard"
	Memory     int64     `toml:"memory"`                       // bytes that connections and requests may hold together
	ClientKey  SecretRef `toml:"client_key"`                   // zero: callers need no key; never zero when a Listen is not loopback
	AllowUsers []string  `toml:"allow_users"`                  // names or numeric IDs of further local users; the user it runs as and root are always allowed
	// DecisionHeader adds the decision about a request to its answer.
	DecisionHeader bool `toml:"decision_header"`
}

// Console is where the local pages are.
type Console struct {
	Listen string   `toml:"listen"` // "host:port", always loopback; port 0: any free one
	Hosts  []string `toml:"hosts"`  // further names of the console in browsers, such as a forwarded port
}

// Store is where grants are stored.
type Store struct {
	Kind string `toml:"kind" oneof:"file keyring memory redis postgres"` // "file", "keyring", "memory", "redis" or "postgres"
	Path string `toml:"path"`                                            // the state folder of every kind; empty only when Kind is "memory" and no folder is known

	URL               SecretRef   `toml:"url"`                 // of a shared store; zero where Kind is none
	EncryptionKey     SecretRef   `toml:"encryption_key"`      // of a shared store; zero where Kind is none
	OldEncryptionKeys []SecretRef `toml:"old_encryption_keys"` // which have sealed what is there
}

// Shared reports whether other machines use the store, too.
func (s Store) Shared() bool { return s.Kind == "redis" || s.Kind == "postgres" }

// Share is where others take live tokens.
type Share struct {
	Listen   []string            // each "unix:/path", or "host:port" with a certificate; empty = nothing is shared
	Clients  map[string][]string // credentials by the name in a certificate, or "user:NAME"; "*" = all
	TLSCert  string              `toml:"tls_cert"`  // that it shows, PEM
	TLSKey   string              `toml:"tls_key"`   // and its key
	ClientCA string              `toml:"client_ca"` // the authority of the clients' certificates, PEM
}

// Capture limits what is recorded of recent exchanges.
type Capture struct {
	Enabled bool  `toml:"enabled"`
	Body    int64 `toml:"body"`  // bytes of each body
	Total   int64 `toml:"total"` // bytes in all
}

// Route sends the requests for some hosts to one upstream with one credential. It has
// the values of its preset where the file has none.
type Route struct {
	Name       string   `toml:"name"`       // a lower-case DNS label, unique
	Upstream   string   `toml:"upstream"`   // https URL, perhaps with a path prefix
	Credential string   `toml:"credential"` // a key of Config.Credentials; empty: nothing is injected
	Listen     []string // addresses where the local names mean this route, each "host:port" (port 0: any free one); may be empty
	Preset     string   // empty: none

	CAFile  string `toml:"ca_file"`  // extra roots for the upstream, PEM; empty: none
	TLSCert string `toml:"tls_cert"` // with TLSKey: the certificate for mutual TLS, PEM; empty: none
	TLSKey  string `toml:"tls_key"`

	Headers map[string]string `toml:"headers"` // added to each request; may be nil
	Header  string            // the header of the token; empty: the credential's
	Format  string            // its value, with {token} or {base64}; empty: the credential's

	Allow      []string `toml:"allow"`                                   // "METHOD /path"; empty: everything
	ClientAuth string   `toml:"client_auth" oneof:"replace keep reject"` // what happens to the client's Authorization: "replace", "keep" or "reject"
	Strip      []string `toml:"strip"`                                   // further request headers that are removed
	HealOn     []int    `toml:"heal_on"`                                 // statuses that mean "token refused"
	Hosts      []string `toml:"hosts"`                                   // further names of this route, "host" or "host:port", lower case

	TokenEndpoint bool `toml:"token_endpoint"` // answer the client's own token requests with a placeholder token; needs a Credential
	WebSocket     bool `toml:"websocket"`      // allow WebSockets

	AllowOrigin     []string `toml:"allow_origin"`     // values of Origin that are accepted from programs
	RewriteLocation bool     `toml:"rewrite_location"` // a Location with the upstream's origin gets the proxy's

	CredentialFrom CredentialFrom // chooses the credential of each request; zero: it is always Credential
	// Accounts are the indexes of the routes that stand for the accounts of CredentialFrom: one
	// for each of its credentials, behind those of the file. Nil: there are none.
	Accounts map[string]int
	// AccountOf is the route that this one stands for an account of; empty: it is in the file itself.
	AccountOf string

	Probe string `toml:"probe"` // "METHOD /path" that 'avsproxy doctor --live' sends; empty: nothing

	SerializeEvents bool   `toml:"serialize_events"`              // send events to AVS one after another
	Synchronize     bool   `toml:"synchronize"`                   // send SynchronizeState when a downchannel opened; needs a Credential
	FollowGateway   bool   `toml:"follow_gateway"`                // follow AVS to another gateway; needs a Credential
	Downchannel     string `toml:"downchannel" oneof:"pass keep"` // "pass" AVS's stream of directives, or "keep" it open; "keep" needs a Credential

	SingleConnection bool          `toml:"single_connection"` // at most one HTTP/2 connection to the upstream
	PingInterval     time.Duration `toml:"ping_interval"`     // 0: no pings
	DialTimeout      time.Duration `toml:"dial_timeout"`      // 0: no limit
	HeaderTimeout    time.Duration `toml:"header_timeout"`    // 0: as long as the client waits

	Line int // of the file
}

// CredentialFrom says how a request names an account, and which credential that has.
type CredentialFrom struct {
	Header string            `toml:"header"` // the field that names it; empty: Host does
	Host   string            `toml:"host"`   // a host with a * in the place of the account; empty: Header does
	Table  map[string]string `toml:"table"`  // credentials by the account
}

// Credential is one identity at one provider and the way to get its tokens.
type Credential struct {
	Name     string
	Provider string // "amazon", another known name, or "oauth2"; may be empty when Grant is "static" or "command"
	Grant    string // "authorization_code", "device_code", "client_credentials", "refresh_token", "static", "command" or "remote"

	ClientID     string    `toml:"client_id"`
	ClientSecret SecretRef `toml:"client_secret"`                 // zero: a public client; outside the sandbox never zero when Grant is "client_credentials"
	PKCE         string    `toml:"pkce" oneof:"S256 off"`         // of logins in a browser: "S256" or "off"; empty: the provider's, else "S256"
	TokenAuth    string    `toml:"token_auth" oneof:"body basic"` // how token requests have ID and secret: "body" or "basic"; empty: the provider's, else "body"

	RedirectURL    string   `toml:"redirect_url"` // http or https on a loopback host; port 0: the console's
	RedirectURLSet bool     // in the file, so it must not change
	Scopes         []string `toml:"scopes"`

	ProductID          string `toml:"product_id"`
	DeviceSerialNumber string `toml:"device_serial_number"`
	Region             string `toml:"region" oneof:"na eu fe"` // "na", "eu" or "fe"

	AuthURL   string `toml:"auth_url"` // empty: the provider's or Issuer's; also the next three
	TokenURL  string `toml:"token_url"`
	DeviceURL string `toml:"device_url"`
	RevokeURL string `toml:"revoke_url"`
	Issuer    string `toml:"issuer"` // https URL whose metadata (RFC 8414) has the endpoints that are empty above; may be empty

	AuthParams  map[string]string `toml:"auth_params"`  // added to the authorization request
	TokenParams map[string]string `toml:"token_params"` // added to token requests

	Header string `toml:"header"` // the header of the token
	Format string `toml:"format"` // its value, with {token} or {base64}: the token in base64, for Basic (RFC 7617)

	RefreshToken SecretRef `toml:"refresh_token"` // for the grant "refresh_token"; zero: a login imports it
	Token        SecretRef `toml:"token"`         // for the grant "static"
	Command      []string  `toml:"command"`       // for the grant "command": the program that prints the token, and its arguments

	URL     string `toml:"url"`      // for the grant "remote": "https://host:port" or "unix:/path" of the owner's share
	CAFile  string `toml:"ca_file"`  // extra roots for it, PEM; empty: none
	TLSCert string `toml:"tls_cert"` // with TLSKey: the certificate that says who takes, PEM; empty: none
	TLSKey  string `toml:"tls_key"`

	KeepWarm           bool          `toml:"keep_warm"`             // renew without requests too
	RefreshTokenMaxAge time.Duration `toml:"refresh_token_max_age"` // how long refresh tokens live; 0: unknown
	OnLoginNeeded      []string      `toml:"on_login_needed"`       // program and arguments, run when a login is needed; empty: none
	LoginReminder      time.Duration `toml:"login_reminder"`        // how often it runs again until the login; 0: never

	Line int // of the file
}
