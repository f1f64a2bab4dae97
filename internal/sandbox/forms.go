package sandbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/sandbox/faults"
)

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
		l.codePage(w, r, http.StatusOK, "")
	case http.MethodPost:
		l.codeForm(w, r)
	default:
		l.wrongMethod(w)
	}
}

func (l *login) codePage(w http.ResponseWriter, r *http.Request, status int, text string) {
	l.show(w, status, "code", page{Title: "Register your device", Text: text, Token: l.forms.issue(formPurpose(r, ""))})
}

// codeForm takes the code and, from the second page, the decision.
func (l *login) codeForm(w http.ResponseWriter, r *http.Request) {
	form, ok := l.readForm(w, r)
	if !ok {
		return
	}
	found, known := l.pairs.find(userCode(form))
	decision := form.Get("decision")
	switch {
	case !known:
		l.codePage(w, r, http.StatusBadRequest, "This code is not known, or it has expired. Ask your device for a new one.")
	case decision == "":
		l.show(w, http.StatusOK, "consent", page{
			Title:    "Register your device",
			UserCode: found.userCode,
			Token:    l.forms.issue(formPurpose(r, found.userCode)),
			Request:  newConsentRequest(found.scope, found.scopeData),
		})
	default:
		l.decidePair(w, r, found.userCode, decision == "allow")
	}
}

// userCode returns the code of a form without the spaces, dashes and lower case that
// people type.
func userCode(form url.Values) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(form.Get("user_code")))
}

func (l *login) decidePair(w http.ResponseWriter, r *http.Request, userCode string, allowed bool) {
	allowed = len(l.faults.Strike(faults.Consent)) == 0 && allowed
	result := page{Title: "Not registered", Text: "Your device gets nothing. You can close this page."}
	if allowed {
		result = page{Title: "Success", Text: "Your device is registered. You can close this page."}
	}
	if !l.pairs.decide(userCode, allowed) {
		l.codePage(w, r, http.StatusBadRequest, "This code has expired. Ask your device for a new one.")
		return
	}
	l.show(w, http.StatusOK, "message", result)
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
