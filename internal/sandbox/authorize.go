package sandbox

import (
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"avsproxy/internal/sandbox/faults"
)

// A challenge has the length and alphabet of RFC 7636 section 4.2.
const challengeForm = `^[A-Za-z0-9._~-]{43,128}$`

// authorize asks the user, or consents at once in the name of the sandbox's only
// one. Errors about the client and the redirect URI must not redirect: the target
// cannot be trusted (RFC 6749 section 4.1.2.1).
func (l *login) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	target, err := url.Parse(query.Get("redirect_uri"))
	code, description := authorizeError(query)
	switch {
	case r.Method != http.MethodGet && !(l.ask && r.Method == http.MethodPost):
		l.wrongMethod(w)
	case query.Get("client_id") != ClientID:
		l.badRequest(w, "Unknown client_id. The sandbox knows only "+ClientID)
	case err != nil || !mayRedirect(target):
		l.badRequest(w, "The redirect URI you provided has not been whitelisted for your application: it must be an https or a loopback URL.")
	case code != "":
		redirect(w, r, url.Values{"error": {code}, "error_description": {description}})
	case r.Method == http.MethodPost:
		l.consentForm(w, r, query)
	case l.ask:
		l.consentPage(w, r, query, target)
	default:
		redirect(w, r, l.decide(query, true))
	}
}

// decide returns the answer's parameters: a code, or an error.
func (l *login) decide(query url.Values, allowed bool) url.Values {
	for _, f := range l.faults.Strike(faults.Consent) {
		if f.Name == "authorize" && f.Value != "access_denied" {
			return url.Values{"error": {f.Value}, "error_description": {"The sandbox was told to answer with " + f.Value}}
		}
		allowed = false
	}
	if !allowed {
		return url.Values{"error": {accessDenied().code}, "error_description": {accessDenied().description}}
	}
	code := l.codes.give(consent{
		redirectURI: query.Get("redirect_uri"),
		scope:       query.Get("scope"),
		device:      identity(query.Get("scope_data")),
		challenge:   query.Get("code_challenge"),
		method:      query.Get("code_challenge_method"),
	})
	return url.Values{"code": {code}, "scope": {query.Get("scope")}}
}

// redirect sends the browser back to who asked, with the answer and the state. A
// form's answer is a page to GET.
func redirect(w http.ResponseWriter, r *http.Request, answer url.Values) {
	query := r.URL.Query()
	if state := query.Get("state"); state != "" {
		answer.Set("state", state)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", withQuery(query.Get("redirect_uri"), answer))
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusFound)
}

func authorizeError(query url.Values) (code, description string) {
	switch {
	case query.Get("response_type") == "":
		return "invalid_request", "The request is missing a required parameter : response_type"
	case query.Get("response_type") != "code":
		return "unsupported_response_type", "The authorization server does not support this response type"
	case query.Get("scope") == "":
		return "invalid_request", "The request is missing a required parameter : scope"
	case firstUnknown(query.Get("scope")) != "":
		return "invalid_scope", "An unknown scope was requested"
	case !scopeDataFits(query.Get("scope"), query.Get("scope_data")):
		return "invalid_scope", "The request has an invalid parameter : scope_data"
	case !challengeFits(query.Get("code_challenge"), query.Get("code_challenge_method")):
		return "invalid_request", "The request has an invalid parameter : code_challenge"
	}
	return "", ""
}

func challengeFits(challenge, method string) bool {
	if method != "" && method != "plain" && method != "S256" {
		return false
	}
	if challenge == "" {
		return method == ""
	}
	fits, _ := regexp.MatchString(challengeForm, challenge)
	return fits
}

// mayRedirect stands in for the "Allowed Return URLs" of a real security profile.
func mayRedirect(target *url.URL) bool {
	if target.Host == "" || target.Fragment != "" {
		return false
	}
	return target.Scheme == "https" || target.Scheme == "http" && isLoopback(target.Hostname())
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// withQuery keeps the bytes of the redirect URI as they are.
func withQuery(uri string, answer url.Values) string {
	if strings.Contains(uri, "?") {
		return uri + "&" + answer.Encode()
	}
	return uri + "?" + answer.Encode()
}
