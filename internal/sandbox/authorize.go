package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/sandbox/faults"
)

// challengePattern is the length and alphabet of RFC 7636 section 4.2.
const challengePattern = `^[A-Za-z0-9._~-]{43,128}$`

// authorize asks the user, or consents at once. It does not redirect errors about the
// client and the redirect URI: their target cannot be trusted (RFC 6749 section
// 4.1.2.1).
func (l *login) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	target, err := url.Parse(query.Get("redirect_uri"))
	refusal := checkAuthorizeRequest(query)
	switch {
	case r.Method != http.MethodGet && !(l.askConsent && r.Method == http.MethodPost):
		l.wrongMethod(w)
	case query.Get("client_id") != ClientID:
		l.badRequest(w, "Unknown client_id. The sandbox knows only "+ClientID)
	case err != nil || !mayRedirect(target):
		l.badRequest(w, "The redirect URI you provided has not been whitelisted for your application: it must be an https or a loopback URL.")
	case refusal != nil:
		redirect(w, r, refusal.query())
	case r.Method == http.MethodPost:
		l.consentForm(w, r, query)
	case l.askConsent:
		l.consentPage(w, r, query, target)
	default:
		redirect(w, r, l.decide(query, true))
	}
}

// decide returns the parameters of the redirect: a code, or an error.
func (l *login) decide(query url.Values, allowed bool) url.Values {
	for _, f := range l.faults.Strike(faults.Consent) {
		if f.Name == "authorize" && f.Value != "access_denied" {
			return badRequest(f.Value, "The sandbox was told to answer with "+f.Value).query()
		}
		allowed = false
	}
	if !allowed {
		return errAccessDenied.query()
	}
	return url.Values{"code": {l.issueCode(query)}, "scope": {query.Get("scope")}}
}

func (l *login) issueCode(query url.Values) string {
	code := "AN" + randomText(letters, 18) // as long as Amazon's
	now := time.Now()
	l.grants.mu.Lock()
	defer l.grants.mu.Unlock()
	maps.DeleteFunc(l.grants.codes, func(_ string, old consent) bool { return now.After(old.expires) })
	l.grants.codes[code] = consent{
		redirectURI: query.Get("redirect_uri"),
		scope:       query.Get("scope"),
		device:      deviceID(query.Get("scope_data")),
		challenge:   query.Get("code_challenge"),
		method:      query.Get("code_challenge_method"),
		expires:     now.Add(l.codeLife),
	}
	return code
}

// redirect sends the browser to the redirect URI, with the answer and the state. 303
// after a form makes the browser use GET.
func redirect(w http.ResponseWriter, r *http.Request, answer url.Values) {
	query := r.URL.Query()
	if state := query.Get("state"); state != "" {
		answer.Set("state", state)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", withQuery(query.Get("redirect_uri"), answer))
	status := http.StatusFound
	if r.Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	w.WriteHeader(status)
}

func checkAuthorizeRequest(query url.Values) *oauthError {
	switch responseType, scope := query.Get("response_type"), query.Get("scope"); {
	case responseType == "":
		return missing("response_type")
	case responseType != "code":
		return badRequest("unsupported_response_type", "The authorization server does not support this response type")
	case scope == "":
		return missing("scope")
	case unknownScope(scope) != "":
		return badRequest("invalid_scope", "An unknown scope was requested")
	case !hasScopeData(scope, query.Get("scope_data")):
		return badRequest("invalid_scope", "The request has an invalid parameter : scope_data")
	case !validChallenge(query.Get("code_challenge"), query.Get("code_challenge_method")):
		return invalid("code_challenge")
	}
	return nil
}

func validChallenge(challenge, method string) bool {
	if challenge == "" {
		return method == ""
	}
	valid, _ := regexp.MatchString(challengePattern, challenge)
	return valid && (method == "" || method == "plain" || method == "S256")
}

// mayRedirect replaces the "Allowed Return URLs" of a real security profile.
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

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// A consent is what a user agreed to. Its code can be redeemed once.
type consent struct {
	redirectURI string
	scope       string
	device      string
	challenge   string // PKCE (RFC 7636); empty if the request had none
	method      string // of the challenge; empty means plain
	expires     time.Time
}

func randomText(alphabet string, n int) string {
	text := make([]byte, n)
	rand.Read(text)
	for i, b := range text {
		text[i] = alphabet[int(b)%len(alphabet)]
	}
	return string(text)
}

// scopeMeaning returns what a user allows with a scope, or "" for an unknown one. It
// knows the scopes of the APIs for which avsproxy has presets.
func scopeMeaning(scope string) string {
	return map[string]string{
		"alexa:all":                           "Use Alexa as this device",
		"profile":                             "See your name and your email address",
		"profile:user_id":                     "See your user ID",
		"postal_code":                         "See your postal code",
		"dash:replenish":                      "Reorder supplies",
		"alexa::ask:skills:readwrite":         "Change and test your Alexa skills",
		"alexa::ask:models:readwrite":         "Change and test your Alexa skills",
		"alexa::ask:skills:test":              "Change and test your Alexa skills",
		"advertising::campaign_management":    "Manage your advertising campaigns",
		"cpc_advertising:campaign_management": "Manage your advertising campaigns",
		"advertising::audiences":              "Manage your advertising campaigns",
	}[scope]
}

// unknownScope returns the first scope that no user can grant, or "".
func unknownScope(scope string) string {
	for _, name := range strings.Fields(scope) {
		if scopeMeaning(name) == "" {
			return name
		}
	}
	return ""
}

// isClientScope reports whether a client gets a scope without a user.
func isClientScope(scope string) bool {
	return slices.Contains([]string{
		"alexa:skill_messaging",
		"sellingpartnerapi::notifications",
		"sellingpartnerapi::migration",
		"sellingpartnerapi::client_credential:rotation",
	}, scope)
}

// A device is what scope_data says about alexa:all.
type device struct {
	ProductID  string `json:"productID"`
	Attributes struct {
		SerialNumber string `json:"deviceSerialNumber"`
	} `json:"productInstanceAttributes"`
}

func deviceOf(scopeData string) device {
	var data struct {
		Alexa device `json:"alexa:all"`
	}
	if json.Unmarshal([]byte(scopeData), &data) != nil {
		return device{}
	}
	return data.Alexa
}

// deviceID returns the device as AVS tells devices apart: client and serial number. It
// is empty without a serial number.
func deviceID(scopeData string) string {
	serial := deviceOf(scopeData).Attributes.SerialNumber
	if serial == "" {
		return ""
	}
	return ClientID + " " + serial
}

// hasScopeData reports whether scope_data names the product and the device, if the
// scope alexa:all needs them.
func hasScopeData(scope, scopeData string) bool {
	d := deviceOf(scopeData)
	return !slices.Contains(strings.Fields(scope), "alexa:all") || d.ProductID != "" && d.Attributes.SerialNumber != ""
}
