package sandbox

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

//go:embed pages/*.html
var pageFiles embed.FS

func parsePages() *template.Template {
	return template.Must(template.ParseFS(pageFiles, "pages/*.html"))
}

// A page is what the templates show.
type page struct {
	Title    string
	Text     string
	Token    string // of the form
	UserCode string
	Target   string // the origin that the browser goes to next
	Asked    asked

	Nonce string // of the style, set by show
}

// asked is what a client wants of the user.
type asked struct {
	Client string
	Wishes []wish
	Device device
}

type wish struct{ Scope, Meaning string }

func askedFor(scope, data string) asked {
	a := asked{Client: ClientID, Device: deviceOf(data)}
	for _, name := range strings.Fields(scope) {
		a.Wishes = append(a.Wishes, wish{name, meaning(name)})
	}
	return a
}

// show writes a page that can do nothing but look as it does and be sent back.
// Browsers apply form-action to the redirect that answers a form too, so it names
// the target.
func (l *login) show(w http.ResponseWriter, status int, name string, p page) {
	p.Nonce = newID()
	header := w.Header()
	header.Set("Content-Type", "text/html;charset=UTF-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", strings.TrimSpace("default-src 'none'; style-src 'nonce-"+p.Nonce+
		"'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "+p.Target))
	w.WriteHeader(status)
	l.pages.ExecuteTemplate(w, name, p)
}

// origin names a redirect's target in the terms of a Content-Security-Policy. A
// host that those cannot express, such as an IPv6 address, leaves the scheme.
func origin(target *url.URL) string {
	if regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$`).MatchString(target.Host) {
		return target.Scheme + "://" + target.Host
	}
	return target.Scheme + ":"
}

func (l *login) badRequest(w http.ResponseWriter, text string) {
	l.show(w, http.StatusBadRequest, "error", page{Title: "400 Bad Request", Text: text})
}

func (l *login) wrongMethod(w http.ResponseWriter) {
	w.Header().Set("Allow", http.MethodGet)
	l.show(w, http.StatusMethodNotAllowed, "error", page{Title: "405 Method Not Allowed", Text: "This page is for browsers: use GET."})
}
