package sandbox

import (
	"net/http"
	"net/url"
	"strings"

	"avsproxy/internal/sandbox/faults"
)

// verificationPath is where users type the codes of their devices.
const verificationPath = "/us/code"

func verificationURI(r *http.Request) string {
	scheme := "https"
	if r.TLS == nil {
		scheme = "http"
	}
	return (&url.URL{Scheme: scheme, Host: r.Host, Path: verificationPath}).String()
}

// verify is the page where a code is typed and then decided about. It works
// whatever the sandbox's user has agreed to already.
func (l *login) verify(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		l.codePage(w, http.StatusOK, "")
	case http.MethodPost:
		l.codeForm(w, r)
	default:
		l.wrongMethod(w)
	}
}

func (l *login) codePage(w http.ResponseWriter, status int, text string) {
	l.show(w, status, "code", page{Title: "Register your device", Text: text, Token: l.forms.seal("code")})
}

// codeForm takes the typed code and, from the page that follows, the decision.
// That page's token names the code, so the page cannot be skipped.
func (l *login) codeForm(w http.ResponseWriter, r *http.Request) {
	form, ok := l.form(w, r)
	if !ok {
		return
	}
	userCode, decision := typed(form.Get("user_code")), form.Get("decision")
	purpose := "code"
	if decision != "" {
		purpose = "pair " + userCode
	}
	if !l.genuine(w, form, purpose) {
		return
	}
	found, known := l.pairs.find(userCode)
	switch {
	case !known:
		l.codePage(w, http.StatusBadRequest, "This code is not known, or it has expired. Ask your device for a new one.")
	case decision == "":
		l.pairPage(w, found)
	default:
		l.decidePair(w, userCode, decision == "allow")
	}
}

// typed reads a user code as generously as people type it.
func typed(userCode string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(userCode))
}

func (l *login) pairPage(w http.ResponseWriter, found pair) {
	l.show(w, http.StatusOK, "pair", page{
		Title:    "Register your device",
		UserCode: found.userCode,
		Token:    l.forms.seal("pair " + found.userCode),
		Asked:    askedFor(found.scope, found.scopeData),
	})
}

func (l *login) decidePair(w http.ResponseWriter, userCode string, allowed bool) {
	if len(l.faults.Strike(faults.Consent)) > 0 {
		allowed = false
	}
	if !l.pairs.decide(userCode, allowed) {
		l.codePage(w, http.StatusBadRequest, "This code has expired. Ask your device for a new one.")
		return
	}
	if !allowed {
		l.show(w, http.StatusOK, "message", page{Title: "Not registered", Text: "Your device gets nothing. You can close this page."})
		return
	}
	l.show(w, http.StatusOK, "message", page{Title: "Success", Text: "Your device is registered. You can close this page."})
}
