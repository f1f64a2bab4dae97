// Package console serves the local pages: inspector, login, status, health and metrics.
package console

import (
	"cmp"
	"context"
	"embed"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/avs"
	"avsproxy/internal/breakpoint"
	"avsproxy/internal/capture"
	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/peer"
	"avsproxy/internal/problem"
	"avsproxy/tokens"
)

// A Credential is what the pages show and log in to.
type Credential struct {
	Source *tokens.Source
	// Client runs the login; nil = this credential needs none.
	Client *tokens.Client
	// Device makes its logins by device, unless a browser is asked for.
	Device bool
	// Asked are the configured scopes; nil = none.
	Asked []string
	// Skew returns how far this machine's clock is ahead of the provider's; nil = unknown.
	Skew func() time.Duration
}

// A Route is a route with functions that find out its present state.
type Route struct {
	api.Route
	// Present says where requests go now, of a route that may move; nil = to Upstream.
	Present func() string `json:"-"`
	// FindProblem finds the Problem; nil = there never is one.
	FindProblem func() *api.RouteProblem `json:"-"`
	// LastProbe returns the Probe; nil = there never is one.
	LastProbe func() *api.Probe `json:"-"`
}

// now is the route as it is at this moment.
func (r Route) now() api.Route {
	if r.Present != nil {
		r.Upstream = r.Present()
	}
	if r.FindProblem != nil {
		r.Problem = r.FindProblem()
	}
	if r.LastProbe != nil {
		r.Probe = r.LastProbe()
	}
	return r.Route
}

// A Console is the local pages of one running proxy. Set the fields before
// Handler is called.
type Console struct {
	Version     string
	Sandbox     bool
	Credentials []Credential // those that a route uses come first in readiness too
	Routes      []Route
	Logins      *tokens.Logins
	Metrics     *Metrics // nil = no /metrics
	// Hosts are further names of the console, such as that of a port that is forwarded
	// to its own. One with a port means the console only with that port.
	Hosts []string
	// Users are the local users who may use the pages; nil = everybody.
	Users *peer.Users
	// Access names the users of each listener, for people.
	Access api.Access
	// TurnedAway returns how many connections of other users were closed without an
	// answer; nil = they are not counted.
	TurnedAway func() api.TurnedAway
	// Store is the store that other machines use, too; nil = there is none.
	Store func() *api.Store
	// Proxy and Self are the addresses to show: base URLs without a slash at the end.
	Proxy []string
	Self  string
	// Directives joins a route's downchannel until ctx ends, "" = the first that is
	// kept. The channel is closed early if its reader is too slow. A nil channel = no such
	// route keeps its own. Nil = none does.
	Directives func(ctx context.Context, route string) <-chan avs.ReceivedDirective
	// Try is the curl command that the pages suggest for a first request, without
	// "curl -i"; empty = none.
	Try string
	// Fingerprint is the SHA-256 of the callback's certificate, for people to compare.
	Fingerprint string
	// Exchanges are what the inspector shows; nil = capture is off.
	Exchanges *capture.Recorder
	// Replay sends an exchange again, the way of all requests of its route, and
	// returns the ID of the new exchange at once. Nil = it cannot.
	Replay func(ctx context.Context, again ReplayRequest) (id uint64, err error)
	// Points hold requests and answers for a page; nil = they cannot be held.
	Points *breakpoint.Points
	// Explain says what would become of a request for the URL, as a value to write
	// as JSON; errors are for people. Nil = it cannot.
	Explain func(method, url string) (any, error)
	// Key is what the inspector asks for where other users of this machine can
	// connect: commands send it as [KeyHeader], and browsers come with a
	// [Console.Ticket]. Empty = everybody whom the gate admits sees the traffic.
	Key string
	// Ended ends the streams of events when the process does; nil = never.
	Ended <-chan struct{}
	// Begin starts a login. For one by browser it makes sure that something listens
	// at the redirect URI while the login is pending.
	Begin func(ctx context.Context, credential Credential, byDevice bool) (*tokens.Login, error)

	sessions            sessions
	watchers, listeners atomic.Int32 // of exchanges, and of directives
	holders             atomic.Int32 // of breakpoints
}

//go:embed pages
var pageFiles embed.FS

// handler serves everything below "/", without the gate.
func (c *Console) handler() http.Handler {
	pages := pages{Console: c, templates: parseTemplates()}
	mux := http.NewServeMux()
	serveAssets(mux)
	mux.HandleFunc("GET /status", pages.home)
	mux.HandleFunc("GET /login", pages.page(pages.login))
	mux.HandleFunc("POST /login", pages.page(pages.begin))
	mux.HandleFunc("GET /logout", pages.page(pages.logoutPage))
	mux.HandleFunc("POST /logout", pages.page(pages.endLogin))
	mux.HandleFunc("GET /login/{id}", pages.page(pages.outcome))
	mux.HandleFunc("GET /", pages.page(pages.notFound))
	mux.HandleFunc("GET /livez", c.livez)
	mux.HandleFunc("GET /readyz", c.readyz)
	c.serveAPI(mux)
	if c.Metrics != nil {
		mux.Handle("GET /metrics", c.Metrics.Handler())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.isCallback(httpexchange.Head(r)) {
			pages.page(pages.callback)(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// Guarded is the handler behind the console's gate.
func (c *Console) Guarded(refused func(*exchange.Head, problem.Problem)) http.Handler {
	rules := gate.Rules{
		Host:      c.isNamed,
		Hostless:  isProbe,
		Names:     "use localhost with the console's port",
		HostsHint: "hosts in [console] of config.toml",
		Browser:   c.fromOwnPage,
		Users:     c.Users,
		UsersHint: "the console is for the user that avsproxy runs as, and for root; allow_users in config.toml opens the proxy alone",
		Public:    c.isPublic,
	}
	return secure(httpexchange.Guard(rules, refused, c.requireKey(refused, c.handler())))
}

// isNamed reports whether the authority is one of the console's names.
func (c *Console) isNamed(a exchange.Authority, l exchange.Listener) bool {
	named := func(name string) bool {
		own, ok := exchange.ParseAuthority(name)
		return ok && own.Host == a.Host && (own.Port == a.Port || own.Port == "" && l.AcceptsPort(a))
	}
	return exchange.IsLocal(a.Host) && l.AcceptsPort(a) || slices.ContainsFunc(c.Hosts, named)
}

// isProbe is about what load balancers ask, some of them by HTTP/1.0.
func isProbe(h *exchange.Head) bool {
	path := h.DecodedPath()
	return reads(h) && (path == "/livez" || path == "/readyz")
}

func reads(h *exchange.Head) bool { return h.Method == http.MethodGet || h.Method == http.MethodHead }

// isPublic says what is no secret from other users of this machine: what monitors
// ask, which run as users of their own; and the end of a login, whose browser may run
// as another user than avsproxy. There the state, and then the login's ID, are the
// secret.
func (c *Console) isPublic(_ *exchange.Conn, h *exchange.Head) bool {
	if !reads(h) {
		return false
	}
	path := h.DecodedPath()
	switch path {
	case "/livez", "/readyz", "/metrics", "/style.css":
		return true
	}
	id, isOutcome := strings.CutPrefix(path, "/login/")
	return c.isCallback(h) || (isOutcome && c.Logins.Find(id) != nil)
}

// fromOwnPage says which requests of browsers may pass: those of our own pages,
// navigations to pages (which change nothing), and the callback, which its state
// protects.
func (c *Console) fromOwnPage(conn *exchange.Conn, h *exchange.Head) bool {
	if c.isCallback(h) {
		return true
	}
	if h.Has("Origin") {
		return h.Get("Origin") == origin(conn.Listener.TLS, h.Authority)
	}
	if !reads(h) {
		return false
	}
	navigation := h.Get("Sec-Fetch-Mode") == "navigate" && h.Get("Sec-Fetch-Dest") == "document"
	path := h.DecodedPath()
	return navigation && !strings.HasPrefix(path, "/api/") && path != "/har" // a link elsewhere must not put traffic on the disk
}

func originOf(r *http.Request) string { return origin(r.TLS != nil, r.Host) }

func origin(secure bool, host string) string {
	if secure {
		return "https://" + host
	}
	return "http://" + host
}

// isCallback reports whether the provider sent the browser here. Only GET will
// do: a HEAD, as link checkers send, must not spend the code. The state tells a
// callback from a page of ours, should the redirect URI have the path of one.
func (c *Console) isCallback(h *exchange.Head) bool {
	query, _ := url.ParseQuery(h.Query) // what cannot be parsed has no state
	return h.Method == http.MethodGet && query.Has("state") && slices.Contains(c.callbackPaths(), h.DecodedPath())
}

// callbackPaths are the paths of the credentials' redirect URIs.
func (c *Console) callbackPaths() []string {
	var paths []string
	for _, credential := range c.Credentials {
		if credential.Client == nil {
			continue
		}
		if redirect, err := url.Parse(credential.Client.RedirectURL); err == nil {
			paths = append(paths, cmp.Or(redirect.Path, "/"))
		}
	}
	return paths
}

// find returns the credential of that name; "" means the first.
func (c *Console) find(name string) (Credential, bool) {
	for _, credential := range c.Credentials {
		if name == "" || credential.Source.Name == name {
			return credential, true
		}
	}
	return Credential{}, false
}

// secure sets what every response of the console carries, refusals included. Nothing is
// loaded from anywhere else. There is no form-action: browsers would apply it to
// the redirect that follows our form, too. The referrer stays with us; it is not
// "no-referrer", with which browsers send our own form with "Origin: null".
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Resource-Policy", "same-origin") // also where a browser has no Sec-Fetch-Site, by which the gate decides
		h.Set("Cross-Origin-Opener-Policy", "same-origin")   // a page that opens ours gets no hold of it
		next.ServeHTTP(w, r)
	})
}
