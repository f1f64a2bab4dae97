package sandbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/sandbox/faults"
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

// verificationPath is the page where users type the codes of their devices.
const verificationPath = "/us/code"

const maxForm = 4 << 10

func verificationURI(r *http.Request) string {
	scheme := "https"
	if r.TLS == nil {
		scheme = "http"
	}
	return (&url.URL{Scheme: scheme, Host: r.Host, Path: verificationPath}).String()
}

// formPurpose is what a form's token is for: its page and, once the user has typed it, the
// code about which the form decides. So no other site can skip a page.
func formPurpose(r *http.Request, userCode string) string { return r.URL.RequestURI() + " " + userCode }

// readForm parses a form and checks its token. If something is wrong, readForm answers and
// returns false.
func (l *login) readForm(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		l.badRequest(w, "The form could not be read.")
		return nil, false
	}
	decidesAbout := ""
	if r.PostForm.Get("decision") != "" {
		decidesAbout = userCode(r.PostForm)
	}
	if !l.forms.valid(formPurpose(r, decidesAbout), r.PostForm.Get("form_token")) {
		l.showError(w, http.StatusForbidden, "This form was not made by the sandbox for this request, or it is too old. Load the page again.")
		return nil, false
	}
	return r.PostForm, true
}

// consentPage asks the user about an authorization request. The form is posted to the
// page's own address, which holds the request.
func (l *login) consentPage(w http.ResponseWriter, r *http.Request, query url.Values, target *url.URL) {
	l.show(w, http.StatusOK, "consent", page{
		Title:   "Login with Amazon",
		Token:   l.forms.issue(formPurpose(r, "")),
		Target:  origin(target),
		Request: newConsentRequest(query.Get("scope"), query.Get("scope_data")),
	})
}

func (l *login) consentForm(w http.ResponseWriter, r *http.Request, query url.Values) {
	form, ok := l.readForm(w, r)
	if !ok {
		return
	}
	switch decision := form.Get("decision"); decision {
	case "allow", "cancel":
		redirect(w, r, l.decide(query, decision == "allow"))
	default:
		l.badRequest(w, "The form holds no decision.")
	}
}

// verify is the page where users type a code, and then decide about its device. It
// asks even if the sandbox consents to everything else.
func (l *login) verify(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		l.show(w, http.StatusOK, "code", l.codePage(r, ""))
	case http.MethodPost:
		l.codeForm(w, r)
	default:
		l.wrongMethod(w)
	}
}

func (l *login) codePage(r *http.Request, text string) page {
	return page{Title: "Register your device", Text: text, Token: l.forms.issue(formPurpose(r, ""))}
}

// codeForm takes the code and, from the second page, the decision.
func (l *login) codeForm(w http.ResponseWriter, r *http.Request) {
	if form, ok := l.readForm(w, r); ok {
		status, name, p := l.answerCode(r, form)
		l.show(w, status, name, p)
	}
}

func (l *login) answerCode(r *http.Request, form url.Values) (status int, name string, p page) {
	l.grants.mu.Lock()
	defer l.grants.mu.Unlock()
	found := l.grants.pair(userCode(form))
	decision := form.Get("decision")
	switch {
	case found == nil:
		return http.StatusBadRequest, "code", l.codePage(r, "This code is not known, or it has expired. Ask your device for a new one.")
	case decision == "":
		return http.StatusOK, "consent", page{
			Title:    "Register your device",
			UserCode: found.userCode,
			Token:    l.forms.issue(formPurpose(r, found.userCode)),
			Request:  newConsentRequest(found.scope, found.scopeData),
		}
	}
	found.decided = true
	found.allowed = len(l.faults.Strike(faults.Consent)) == 0 && decision == "allow"
	if found.allowed {
		return http.StatusOK, "message", page{Title: "Success", Text: "Your device is registered. You can close this page."}
	}
	return http.StatusOK, "message", page{Title: "Not registered", Text: "Your device gets nothing. You can close this page."}
}

// userCode returns the code of a form without the spaces, dashes and lower case that
// people type.
func userCode(form url.Values) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(form.Get("user_code")))
}

// formTokens makes and checks the tokens that protect forms against forgery by other
// sites. It stores none: a token is its expiry, and a MAC of expiry and purpose.
type formTokens struct {
	lifetime time.Duration
	key      [32]byte
}

func newFormTokens(lifetime time.Duration) *formTokens {
	t := &formTokens{lifetime: lifetime}
	rand.Read(t.key[:])
	return t
}

func (t *formTokens) issue(purpose string) string {
	expiry := strconv.FormatInt(time.Now().Add(t.lifetime).UnixNano(), 36)
	return expiry + "." + t.mac(expiry, purpose)
}

func (t *formTokens) valid(purpose, token string) bool {
	expiry, mac, _ := strings.Cut(token, ".")
	expires, err := strconv.ParseInt(expiry, 36, 64)
	return err == nil && hmac.Equal([]byte(mac), []byte(t.mac(expiry, purpose))) && time.Now().UnixNano() < expires
}

func (t *formTokens) mac(expiry, purpose string) string {
	sum := hmac.New(sha256.New, t.key[:])
	sum.Write([]byte(expiry + " " + purpose))
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}
