package sandbox

import (
	"net/http"
	"net/url"
)

const maxForm = 4 << 10

// consentPage asks the user. The form is posted to the page's own address, which
// holds the request.
func (l *login) consentPage(w http.ResponseWriter, r *http.Request, query url.Values, target *url.URL) {
	l.show(w, http.StatusOK, "consent", page{
		Title:  "Login with Amazon",
		Token:  l.forms.seal("consent " + r.URL.RawQuery),
		Target: origin(target),
		Asked:  askedFor(query.Get("scope"), query.Get("scope_data")),
	})
}

// consentForm takes what the user chose.
func (l *login) consentForm(w http.ResponseWriter, r *http.Request, query url.Values) {
	form, ok := l.form(w, r)
	if !ok || !l.genuine(w, form, "consent "+r.URL.RawQuery) {
		return
	}
	switch form.Get("decision") {
	case "allow":
		redirect(w, r, l.decide(query, true))
	case "cancel":
		redirect(w, r, l.decide(query, false))
	default:
		l.badRequest(w, "The form holds no decision.")
	}
}

// form reads what a page posted. If that cannot be read, the answer is written.
func (l *login) form(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		l.badRequest(w, "The form could not be read.")
		return nil, false
	}
	return r.PostForm, true
}

// genuine reports whether a form is one of our pages'. If not, the answer is
// written.
func (l *login) genuine(w http.ResponseWriter, form url.Values, purpose string) bool {
	if l.forms.sealed(purpose, form.Get("form_token")) {
		return true
	}
	l.show(w, http.StatusForbidden, "error", page{
		Title: "403 Forbidden",
		Text:  "This form was not made by the sandbox for this request, or it is too old. Load the page again.",
	})
	return false
}
