package sandbox

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestAuthorizeConsentsAtOnce(t *testing.T) {
	s := start(t, Options{})
	for _, uri := range []string{redirectURI, "http://127.0.0.1:9090/cb", "http://[::1]:1/?a=b", "https://example.com/x"} {
		answer := do(t, client(t, s), "GET", s.LWA()+"/ap/oa?"+authorizeQuery("redirect_uri", uri).Encode(), "", nil)
		location := answer.Header.Get("Location")
		if answer.StatusCode != http.StatusFound || !strings.HasPrefix(location, uri) {
			t.Errorf("%s: %s to %s", uri, answer.Status, location)
		}
		target, _ := url.Parse(location)
		query := target.Query()
		if !regexp.MustCompile(`^AN[A-Za-z]{18}$`).MatchString(query.Get("code")) {
			t.Errorf("code %q", query.Get("code"))
		}
		if query.Get("scope") != "alexa:all" || query.Get("state") != "st&ate" {
			t.Errorf("query %v", query)
		}
		if answer.Header.Get(SandboxHeader) != "1" || answer.Header.Get("x-amzn-requestid") == "" {
			t.Errorf("headers %v", answer.Header)
		}
	}
}

func TestAuthorizeDoesNotRedirectToUntrustedTargets(t *testing.T) {
	s := start(t, Options{})
	for _, c := range []struct{ name, value, text string }{
		{"client_id", "test_device", "Unknown client_id"},
		{"client_id", "", "Unknown client_id"},
		{"redirect_uri", "", "not been whitelisted"},
		{"redirect_uri", "http://example.com/x", "not been whitelisted"},
		{"redirect_uri", "/authresponse", "not been whitelisted"},
		{"redirect_uri", "https://localhost/#x", "not been whitelisted"},
		{"redirect_uri", "javascript:alert(1)", "not been whitelisted"},
	} {
		answer := do(t, client(t, s), "GET", s.LWA()+"/ap/oa?"+authorizeQuery(c.name, c.value).Encode(), "", nil)
		if answer.StatusCode != http.StatusBadRequest || answer.Header.Get("Location") != "" || !strings.Contains(string(answer.body), c.text) {
			t.Errorf("%s=%s: %s %s", c.name, c.value, answer.Status, answer.body)
		}
		if !strings.Contains(string(answer.body), "sandbox") {
			t.Error("the page does not say that it is a sandbox's")
		}
	}
}

func TestAuthorizeErrorsByRedirect(t *testing.T) {
	s := start(t, Options{})
	for _, c := range []struct{ name, value, code string }{
		{"scope", "alexa:some", "invalid_scope"},
		{"scope", "", "invalid_request"},
		{"scope_data", "", "invalid_scope"},
		{"scope_data", `{"alexa:all":`, "invalid_scope"},
		{"scope_data", `{"alexa:all":{"productID":"x"}}`, "invalid_scope"},
		{"response_type", "", "invalid_request"},
		{"response_type", "token", "unsupported_response_type"},
		{"code_challenge", "short", "invalid_request"},
		{"code_challenge_method", "S512", "invalid_request"},
	} {
		query := consentTo(t, s, authorizeQuery(c.name, c.value))
		if query.Get("error") != c.code || query.Get("error_description") == "" || query.Get("state") != "st&ate" || query.Has("code") {
			t.Errorf("%s=%s: %v", c.name, c.value, query)
		}
	}
}

func TestAuthorizeRefusesOtherMethods(t *testing.T) {
	s := start(t, Options{})
	if answer := do(t, client(t, s), "POST", s.LWA()+"/ap/oa", "", nil); answer.StatusCode != http.StatusMethodNotAllowed {
		t.Error(answer.Status)
	}
	if answer := do(t, client(t, s), "GET", s.LWA()+"/Oauth/token", "", nil); answer.StatusCode != http.StatusNotFound {
		t.Error(answer.Status)
	}
}
