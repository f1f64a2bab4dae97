package console

import (
	"bytes"
	"cmp"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"avsproxy/internal/api"
)

// pages are the handlers that answer people.
type pages struct {
	*Console
	templates *template.Template
}

func parseTemplates() *template.Template {
	functions := template.FuncMap{"sentence": sentence, "localhost": api.LocalhostURL}
	return template.Must(template.New("").Funcs(functions).ParseFS(pageFiles, "pages/*.html"))
}

// sentence makes a sentence of the text of an error or a hint.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

func (p pages) show(w http.ResponseWriter, status int, page string, data any) {
	var text bytes.Buffer
	if err := p.templates.ExecuteTemplate(&text, page, data); err != nil {
		http.Error(w, "the page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(text.Bytes()) // a reader that is gone is no error of ours
}

// A notice is an error that a page shows.
type notice struct {
	status         int
	Title, Text    string
	Next, NextText string // a link; empty = none
}

// Error implements error.
func (n *notice) Error() string { return n.Title }

// page makes a handler of a function that returns a [notice] or nil.
func (p pages) page(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var n *notice
		if errors.As(f(w, r), &n) {
			p.show(w, n.status, "message.html", n)
		}
	}
}

type loginPage struct {
	Credential  api.CredentialStatus
	Others      []api.CredentialStatus
	Interactive bool
	Device      bool
	RedirectURL string
	Provider    string   // the host of the page to log in at
	Fingerprint []string // its pairs; empty where the callback does not come over TLS
	Amazon      bool
	Sandbox     bool
	Warnings    string // how many certificate warnings to expect; empty = none
}

func (p pages) login(w http.ResponseWriter, r *http.Request) error {
	name := r.URL.Query().Get("credential")
	credential, ok := p.find(name)
	if !ok {
		return &notice{http.StatusNotFound, "No such credential", "The configuration has no credential of that name.", "/status", "See what there is"}
	}
	page := loginPage{Credential: Describe(credential, credential.Source.Status())}
	for _, other := range p.Credentials {
		if other.Source != credential.Source && other.Client != nil {
			page.Others = append(page.Others, Describe(other, other.Source.Status()))
		}
	}
	if client := credential.Client; client != nil {
		page.Interactive, page.Device = true, credential.Device
		page.RedirectURL = client.RedirectURL
		if strings.HasPrefix(client.RedirectURL, "https:") && p.Fingerprint != "" {
			page.Fingerprint = strings.Split(p.Fingerprint, ":")
		}
		if authorize, err := url.Parse(cmp.Or(client.AuthURL, client.Issuer)); err == nil {
			page.Provider = authorize.Host
			page.Amazon = authorize.Path == "/ap/oa" && !p.Sandbox // which takes every return address
		}
	}
	page.Sandbox, page.Warnings = p.Sandbox && page.Interactive, p.warnings(page)
	p.show(w, http.StatusOK, "login.html", page)
	return nil
}

// warnings says how often the browser will ask about a certificate that it does not know. In the sandbox
// the stand-in's login page has such a one, too.
func (p pages) warnings(page loginPage) string {
	n := 0
	if len(page.Fingerprint) > 0 {
		n++
	}
	if p.Sandbox && page.Interactive {
		n++
	}
	switch {
	case n == 0:
		return ""
	case p.Sandbox && n == 2:
		return "Your browser will warn twice about certificates that it does not know: the stand-in’s, and that of this machine’s callback. Both are on this machine; go on past the warnings."
	case p.Sandbox:
		return "Your browser will warn once about a certificate that it does not know: the stand-in’s, on this machine. Go on past the warning."
	}
	return "Your browser will warn once about a certificate that it does not know: that of this machine’s callback. Go on past the warning if the fingerprint is this one."
}

// begin starts a login. It is a POST, so that no link or image can.
func (p pages) begin(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := r.ParseForm(); err != nil {
		return &notice{http.StatusBadRequest, "The form could not be read", "Nothing was started.", "/login", "Back"}
	}
	credential, ok := p.find(r.PostForm.Get("credential"))
	if !ok || credential.Client == nil {
		return &notice{http.StatusNotFound, "Nothing to log in to", "This credential does not exist or needs no login.", "/status", "See what there is"}
	}
	byDevice := credential.Device && r.PostForm.Get("by") != "browser"
	login, err := p.Begin(r.Context(), credential, byDevice)
	if err != nil {
		return &notice{
			http.StatusInternalServerError, "The login could not be started", sentence(err.Error()) + " " + sentence(describe(err).Hint),
			"/login?credential=" + url.QueryEscape(credential.Source.Name), "Back",
		}
	}
	next := login.URL
	if byDevice {
		next = "/login/" + login.ID
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// notFound also answers strays at the redirect URI: without a state they are no
// callbacks.
func (p pages) notFound(w http.ResponseWriter, r *http.Request) error {
	switch {
	case slices.Contains(p.callbackPaths(), r.URL.Path):
		return p.notOurs(r)
	case strings.HasPrefix(r.URL.Path, "/api/"):
		writeJSON(w, http.StatusNotFound, refuse(http.StatusNotFound, "", "the console has nothing at this path", "see docs/api.md").body)
		return nil
	}
	return &notice{http.StatusNotFound, "Nothing is here", "The console has no page at this address.", "/status", "See what there is"}
}

// inspectorPolicy is for the one page that has scripts, our own from our own
// origin. What it shows was sent by others: nothing that is written into the page
// can run, load or send anything, and nothing can be written as HTML (Trusted Types).
const inspectorPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; " +
	"connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

// serveAssets adds the inspector, and what all pages load, to mux.
func serveAssets(mux *http.ServeMux) {
	inspector := asset("pages/inspector.html")
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", inspectorPolicy)
		inspector(w, r)
	})
	for _, pattern := range []string{"pages/*.css", "pages/js/*.js"} {
		names, _ := fs.Glob(pageFiles, pattern)
		for _, name := range names {
			mux.HandleFunc("GET "+strings.TrimPrefix(name, "pages"), asset(name))
		}
	}
}

// asset names the type itself: what the system's tables say of ".js" differs.
func asset(name string) http.HandlerFunc {
	contentType := map[string]string{".css": "text/css", ".html": "text/html", ".js": "text/javascript"}[path.Ext(name)]
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType+"; charset=utf-8")
		http.ServeFileFS(w, r, pageFiles, name)
	}
}
