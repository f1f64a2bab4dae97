// Package console serves the local pages: login, health, metrics and status.
package console

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"avsproxy/internal/guard"
	"avsproxy/internal/problem"
	"avsproxy/tokens"
)

// A Credential is what the pages show and log in to.
type Credential struct {
	Source *tokens.Source
	// Client runs the login; nil = this credential needs none.
	Client *tokens.Client
}

// A Route is what the pages show of a route.
type Route struct {
	Name       string `json:"name"`
	Upstream   string `json:"upstream"`
	Credential string `json:"credential,omitempty"`
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
	// Proxy and Self are the addresses to show: base URLs without a slash at the end.
	Proxy []string
	Self  string
	// Fingerprint is the SHA-256 of the callback's certificate, for people to compare.
	Fingerprint string
	// Begin starts a login; it makes sure that something listens at the redirect
	// URI while the login is pending.
	Begin func(Credential) (*tokens.Login, error)
}

//go:embed pages
var pageFiles embed.FS

// Handler serves everything below "/", without the guard.
func (c *Console) Handler() http.Handler {
	templates := template.Must(template.ParseFS(pageFiles, "pages/*.html"))
	pages := pages{Console: c, templates: templates}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", pages.home)
	mux.HandleFunc("GET /login", pages.login)
	mux.HandleFunc("POST /login", pages.begin)
	mux.HandleFunc("GET /login/{id}", pages.outcome)
	mux.HandleFunc("GET /style.css", pages.style)
	mux.HandleFunc("GET /livez", c.livez)
	mux.HandleFunc("GET /readyz", c.readyz)
	mux.HandleFunc("GET /api/status", c.status)
	mux.HandleFunc("POST /api/logins", c.beginLogin)
	mux.HandleFunc("GET /api/logins/{id}", c.awaitLogin)
	mux.HandleFunc("DELETE /api/login", c.logout)
	if c.Metrics != nil {
		mux.Handle("GET /metrics", c.Metrics.Handler())
	}
	for _, path := range c.callbackPaths() {
		mux.HandleFunc("GET "+path, pages.callback)
	}
	return secure(mux)
}

// Guarded is Handler behind the console's guard.
func (c *Console) Guarded(refused func(*http.Request, problem.Problem)) http.Handler {
	rules := guard.Rules{
		Host: func(a guard.Authority, d guard.Door) bool {
			return guard.IsLocal(a.Host) && d.Fits(a)
		},
		Names:   "use localhost with the console's port",
		Browser: c.fromOwnPage,
	}
	return guard.Guard(rules, refused, c.Handler())
}

// fromOwnPage says which requests of browsers may pass: those of our own pages,
// navigations to pages (which change nothing), and the callback, whose state is
// its guard.
func (c *Console) fromOwnPage(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		return origin == originOf(r)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for _, path := range c.callbackPaths() {
		if r.URL.Path == path {
			return true
		}
	}
	navigation := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	return navigation && !strings.HasPrefix(r.URL.Path, "/api/")
}

func originOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// callbackPaths are the paths of the credentials' redirect URIs, each once.
func (c *Console) callbackPaths() []string {
	var paths []string
	seen := map[string]bool{}
	for _, credential := range c.Credentials {
		if credential.Client == nil {
			continue
		}
		redirect, err := url.Parse(credential.Client.RedirectURL)
		if err == nil && !seen[redirect.Path] {
			seen[redirect.Path] = true
			paths = append(paths, redirect.Path)
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

// secure sets what every answer of ours carries. The callback's URL holds a
// code, so no referrer leaves; nothing is loaded from anywhere else.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}
