package console

import (
	"bytes"
	"cmp"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"avsproxy/internal/api"
	"avsproxy/tokens"
)

// pages are the handlers that answer people.
type pages struct {
	*Console
	templates *template.Template
}

func parseTemplates() *template.Template {
	functions := template.FuncMap{"sentence": sentence}
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

func (p pages) style(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, pageFiles, "pages/style.css")
}

func (p pages) home(w http.ResponseWriter, r *http.Request) {
	p.show(w, http.StatusOK, "home.html", p.present())
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
}

func (p pages) login(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("credential")
	credential, ok := p.find(name)
	if !ok {
		p.show(w, http.StatusNotFound, "message.html", message{
			Title: "No such credential", Text: "The configuration has no credential of that name.", Next: "/status", NextText: "See what there is",
		})
		return
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
	p.show(w, http.StatusOK, "login.html", page)
}

// begin starts a login. It is a POST, so that no link or image can.
func (p pages) begin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := r.ParseForm(); err != nil {
		p.show(w, http.StatusBadRequest, "message.html", message{
			Title: "The form could not be read", Text: "Nothing was started.", Next: "/login", NextText: "Back",
		})
		return
	}
	credential, ok := p.find(r.PostForm.Get("credential"))
	if !ok || credential.Client == nil {
		p.show(w, http.StatusNotFound, "message.html", message{
			Title: "Nothing to log in to", Text: "This credential does not exist or needs no login.", Next: "/status", NextText: "See what there is",
		})
		return
	}
	byDevice := credential.Device && r.PostForm.Get("by") != "browser"
	login, err := p.Begin(r.Context(), credential, byDevice)
	if err != nil {
		p.show(w, http.StatusInternalServerError, "message.html", message{
			Title: "The login could not be started", Text: sentence(err.Error()) + " " + sentence(describe(err).Hint),
			Next: "/login?credential=" + url.QueryEscape(credential.Source.Name), NextText: "Back",
		})
		return
	}
	if byDevice {
		http.Redirect(w, r, "/login/"+login.ID, http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, login.URL, http.StatusSeeOther)
}

// notFound also answers strays at the redirect URI: without a state they are no
// callbacks.
func (p pages) notFound(w http.ResponseWriter, r *http.Request) {
	switch {
	case slices.Contains(p.callbackPaths(), r.URL.Path):
		p.notOurs(w, r)
	case strings.HasPrefix(r.URL.Path, "/api/"):
		writeJSON(w, http.StatusNotFound, api.Error{Action: tokens.ActionConfig, Message: "the console has nothing at this path", Hint: "see docs/api.md"})
	default:
		p.show(w, http.StatusNotFound, "message.html", message{
			Title: "Nothing is here", Text: "The console has no page at this address.", Next: "/status", NextText: "See what there is",
		})
	}
}

// A message is a page that says one thing.
type message struct {
	Title, Text    string
	Next, NextText string // a link; empty = none
}

// inspectorPolicy is for the one page that has scripts, our own from our own
// origin. What it shows was sent by others: nothing that is written into the page
// can run, load or send anything, and nothing can be written as HTML (Trusted Types).
const inspectorPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; " +
	"connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

func (p pages) inspector(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", inspectorPolicy)
	p.asset(w, r, "inspector.html", "text/html; charset=utf-8")
}

func (p pages) inspectorStyle(w http.ResponseWriter, r *http.Request) {
	p.asset(w, r, "inspector.css", "text/css; charset=utf-8")
}

// script serves the inspector's scripts.
func (p pages) script(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	if !strings.HasSuffix(file, ".js") || strings.Contains(file, "/") {
		p.notFound(w, r)
		return
	}
	p.asset(w, r, "js/"+file, "text/javascript; charset=utf-8")
}

// asset names the type itself: what the system's tables say of ".js" differs.
func (p pages) asset(w http.ResponseWriter, r *http.Request, name, contentType string) {
	text, err := pageFiles.ReadFile("pages/" + name)
	if err != nil {
		p.notFound(w, r)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Write(text) // a reader that is gone is no error of ours
}
