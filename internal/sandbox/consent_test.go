package sandbox

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"avsproxy/internal/sandbox/faults"
)

// A visitor is a browser as far as forms go: it keeps the page it is on.
type visitor struct {
	client *http.Client
	at     string
	page   reply
}

func visit(t *testing.T, c *http.Client, address string) *visitor {
	t.Helper()
	v := &visitor{client: c, at: address}
	v.page = do(t, v.client, "GET", address, "", nil)
	return v
}

// press fills in the page's form and sends it off.
func (v *visitor) press(t *testing.T, pairs ...string) reply {
	t.Helper()
	form := url.Values{}
	for _, hidden := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`).FindAllStringSubmatch(string(v.page.body), -1) {
		form.Set(hidden[1], html.UnescapeString(hidden[2]))
	}
	if !strings.Contains(string(v.page.body), `<form method="post">`) || form.Get("form_token") == "" {
		t.Fatalf("no form on\n%s", v.page.body)
	}
	v.page = do(t, v.client, "POST", v.at, "application/x-www-form-urlencoded", strings.NewReader(with(form, pairs...).Encode()))
	return v.page
}

func redirected(t *testing.T, answer reply) url.Values {
	t.Helper()
	target, err := url.Parse(answer.Header.Get("Location"))
	if answer.StatusCode != http.StatusSeeOther || err != nil || !strings.HasPrefix(target.String(), redirectURI) {
		t.Fatalf("%s to %q", answer.Status, answer.Header.Get("Location"))
	}
	return target.Query()
}

func authorizeURL(s *Sandbox, pairs ...string) string {
	return s.LWA() + "/ap/oa?" + authorizeQuery(pairs...).Encode()
}

func TestConsentPageAsks(t *testing.T) {
	s := start(t, Options{AskConsent: true})
	v := visit(t, client(t, s), authorizeURL(s, "scope", "alexa:all profile:user_id", "state", `"><script>`))
	if v.page.StatusCode != http.StatusOK || v.page.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s, %v", v.page.Status, v.page.Header)
	}
	text := string(v.page.body)
	contains(t, text, "not Amazon", "sandbox", ClientID, "alexa:all", "profile:user_id", "test_device", "https://localhost:9745", ">Allow<", ">Cancel<")
	if strings.Contains(text, "<script") {
		t.Error("the page repeats what it was sent")
	}
	contains(t, v.page.Header.Get("Content-Security-Policy"),
		"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self' https://localhost:9745")
}

func TestAllowGivesACode(t *testing.T) {
	s := start(t, Options{AskConsent: true})
	query := redirected(t, visit(t, client(t, s), authorizeURL(s)).press(t, "decision", "allow"))
	if query.Get("state") != "st&ate" || query.Get("scope") != "alexa:all" {
		t.Error(query)
	}
	if answer := postToken(t, s, exchangeForm(query.Get("code"))); answer.status != http.StatusOK {
		t.Error(answer.status, answer.Error)
	}
}

func TestCancelIsAccessDenied(t *testing.T) {
	s := start(t, Options{AskConsent: true})
	query := redirected(t, visit(t, client(t, s), authorizeURL(s)).press(t, "decision", "cancel"))
	if query.Get("error") != "access_denied" || query.Get("error_description") == "" || query.Get("state") != "st&ate" || query.Has("code") {
		t.Error(query)
	}
}

func TestFormsWithoutAValidTokenAreRefused(t *testing.T) {
	s := start(t, Options{AskConsent: true})
	strange := visit(t, client(t, s), authorizeURL(s, "state", "other"))
	other := visit(t, client(t, s), authorizeURL(s))
	other.at = strange.at
	for name, answer := range map[string]reply{
		"no token":              visit(t, client(t, s), authorizeURL(s)).press(t, "decision", "allow", "form_token", ""),
		"made-up token":         visit(t, client(t, s), authorizeURL(s)).press(t, "decision", "allow", "form_token", "zzzzzzzzzzzz.x"),
		"token of another page": other.press(t, "decision", "allow"),
	} {
		if answer.StatusCode != http.StatusForbidden || answer.Header.Get("Location") != "" {
			t.Errorf("%s: %s to %q", name, answer.Status, answer.Header.Get("Location"))
		}
		contains(t, string(answer.body), "sandbox", "Load the page again")
	}
}

func TestConsentFormsWithoutADecisionAreRefused(t *testing.T) {
	s := start(t, Options{AskConsent: true})
	for name, decision := range map[string]string{"none": "", "odd": "maybe", "huge": strings.Repeat("x", maxForm)} {
		if answer := visit(t, client(t, s), authorizeURL(s)).press(t, "decision", decision); answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", name, answer.Status)
		}
	}
	if answer := do(t, client(t, s), "PUT", authorizeURL(s), "", nil); answer.StatusCode != http.StatusMethodNotAllowed {
		t.Error(answer.Status)
	}
	if answer := do(t, client(t, s), "GET", authorizeURL(s, "client_id", "x"), "", nil); answer.StatusCode != http.StatusBadRequest {
		t.Error(answer.Status)
	}
	if answer := do(t, client(t, s), "GET", authorizeURL(s, "scope", "x"), "", nil); answer.StatusCode != http.StatusFound {
		t.Error("an error is not asked about:", answer.Status)
	}
}

func TestOriginsOfRedirects(t *testing.T) {
	for uri, want := range map[string]string{
		"https://localhost:9745/x": "https://localhost:9745",
		"http://127.0.0.1:1/x":     "http://127.0.0.1:1",
		"http://[::1]:1/x":         "http:",
		"https://a;script-src/x":   "https:",
	} {
		target, err := url.Parse(uri)
		if err != nil || origin(target) != want {
			t.Errorf("%s: %s, %v", uri, origin(target), err)
		}
	}
}

func TestConsentFaults(t *testing.T) {
	set := faultSet(t, "")
	asking, silent := start(t, Options{AskConsent: true, Faults: set}), start(t, Options{Faults: set})
	for list, want := range map[string]string{
		"access_denied x2":                       "access_denied",
		"authorize=access_denied x2":             "access_denied",
		"authorize=temporarily_unavailable x2":   "temporarily_unavailable",
		"authorize=unsupported_response_type x2": "unsupported_response_type",
	} {
		setFaults(t, set, list)
		if query := redirected(t, visit(t, client(t, asking), authorizeURL(asking)).press(t, "decision", "allow")); query.Get("error") != want || query.Get("state") != "st&ate" {
			t.Errorf("%s: %v", list, query)
		}
		if query := consentTo(t, silent, authorizeQuery()); query.Get("error") != want || query.Has("code") {
			t.Errorf("%s: %v", list, query)
		}
		if left := set.List(); left != nil {
			t.Errorf("left: %v", left)
		}
	}
}

func faultSet(t *testing.T, list string) *faults.Set {
	t.Helper()
	set := new(faults.Set)
	setFaults(t, set, list)
	return set
}

// setFaults replaces the faults of a set.
func setFaults(t *testing.T, set *faults.Set, text string) {
	t.Helper()
	if err := set.Replace(text); err != nil {
		t.Fatal(err)
	}
}
