package sandbox

import (
	"encoding/json"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

const badRequestPage = `<!DOCTYPE html>
<title>400 Bad Request (avsproxy sandbox)</title>
<h1>400 Bad Request</h1>
<p>{{.}}
<p>This page comes from the avsproxy sandbox, not from Amazon.
`

// A challenge has the length and alphabet of RFC 7636 section 4.2.
const challengeForm = `^[A-Za-z0-9._~-]{43,128}$`

// authorize consents at once, in the name of the sandbox's only user.
func (l *login) authorize(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		badRequest(w, http.StatusMethodNotAllowed, "This page is for browsers: use GET.")
		return
	}
	query := r.URL.Query()
	// Errors about these two must not redirect: the target cannot be trusted
	// (RFC 6749 section 4.1.2.1).
	if query.Get("client_id") != ClientID {
		badRequest(w, http.StatusBadRequest, "Unknown client_id. The sandbox knows only "+ClientID)
		return
	}
	target, err := url.Parse(query.Get("redirect_uri"))
	if err != nil || !mayRedirect(target) {
		badRequest(w, http.StatusBadRequest, "The redirect URI you provided has not been whitelisted for your application: it must be an https or a loopback URL.")
		return
	}
	answer := l.decide(query)
	if state := query.Get("state"); state != "" {
		answer.Set("state", state)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", withQuery(query.Get("redirect_uri"), answer))
	w.WriteHeader(http.StatusFound)
}

// decide returns the answer's parameters: a code, or an error.
func (l *login) decide(query url.Values) url.Values {
	if code, description := authorizeError(query); code != "" {
		return url.Values{"error": {code}, "error_description": {description}}
	}
	code := l.grants.consented(consent{
		redirectURI: query.Get("redirect_uri"),
		scope:       query.Get("scope"),
		challenge:   query.Get("code_challenge"),
		method:      query.Get("code_challenge_method"),
	})
	return url.Values{"code": {code}, "scope": {query.Get("scope")}}
}

func authorizeError(query url.Values) (code, description string) {
	switch {
	case query.Get("response_type") == "":
		return "invalid_request", "The request is missing a required parameter : response_type"
	case query.Get("response_type") != "code":
		return "unsupported_response_type", "The authorization server does not support this response type"
	case query.Get("scope") == "":
		return "invalid_request", "The request is missing a required parameter : scope"
	case !knownScopes(query.Get("scope")):
		return "invalid_scope", "An unknown scope was requested"
	case !scopeDataFits(query.Get("scope"), query.Get("scope_data")):
		return "invalid_scope", "The request has an invalid parameter : scope_data"
	case !challengeFits(query.Get("code_challenge"), query.Get("code_challenge_method")):
		return "invalid_request", "The request has an invalid parameter : code_challenge"
	}
	return "", ""
}

func knownScopes(scope string) bool {
	for _, name := range strings.Fields(scope) {
		switch name {
		case "alexa:all", "profile", "profile:user_id", "postal_code":
		default:
			return false
		}
	}
	return true
}

// scopeDataFits reports whether alexa:all, where asked for, says which product
// and which device it is for.
func scopeDataFits(scope, data string) bool {
	var wanted struct {
		Alexa struct {
			ProductID  string `json:"productID"`
			Attributes struct {
				SerialNumber string `json:"deviceSerialNumber"`
			} `json:"productInstanceAttributes"`
		} `json:"alexa:all"`
	}
	for _, name := range strings.Fields(scope) {
		if name != "alexa:all" {
			continue
		}
		err := json.Unmarshal([]byte(data), &wanted)
		return err == nil && wanted.Alexa.ProductID != "" && wanted.Alexa.Attributes.SerialNumber != ""
	}
	return true
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

func badRequest(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	w.WriteHeader(status)
	template.Must(template.New("").Parse(badRequestPage)).Execute(w, text)
}
