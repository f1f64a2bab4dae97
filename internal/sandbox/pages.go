package sandbox

import (
	"embed"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

//go:embed pages/*.html
var pageFiles embed.FS

// A page is what the templates show.
type page struct {
	Title    string
	Text     string
	Token    string // of the form
	UserCode string
	Target   string // the origin to which the form redirects
	Request  consentRequest

	Nonce string // of the style, set by show
}

// A consentRequest is what a client asks the user for.
type consentRequest struct {
	Client string
	Scopes []requestedScope
	Device device
}

type requestedScope struct{ Name, Meaning string }

func newConsentRequest(scope, scopeData string) consentRequest {
	request := consentRequest{Client: ClientID, Device: deviceOf(scopeData)}
	for _, name := range strings.Fields(scope) {
		request.Scopes = append(request.Scopes, requestedScope{name, scopeMeaning(name)})
	}
	return request
}

// show writes a page that loads nothing and runs no script. form-action names the
// target, because browsers also apply it to the redirect that answers a form.
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

// origin returns the target of a redirect as a Content-Security-Policy names it: the
// scheme alone if it cannot express the host, as with an IPv6 address.
func origin(target *url.URL) string {
	if regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$`).MatchString(target.Host) {
		return target.Scheme + "://" + target.Host
	}
	return target.Scheme + ":"
}

func (l *login) showError(w http.ResponseWriter, status int, text string) {
	l.show(w, status, "error", page{Title: fmt.Sprint(status, " ", http.StatusText(status)), Text: text})
}

func (l *login) badRequest(w http.ResponseWriter, text string) {
	l.showError(w, http.StatusBadRequest, text)
}

func (l *login) wrongMethod(w http.ResponseWriter) {
	w.Header().Set("Allow", http.MethodGet)
	l.showError(w, http.StatusMethodNotAllowed, "This page is for browsers: use GET.")
}
