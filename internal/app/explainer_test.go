package app

import (
	"strings"
	"testing"

	"avsproxy/internal/config"
	"avsproxy/internal/exchange"
	"avsproxy/internal/explain"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
)

const explained = `
[proxy]
listen = ["localhost:9744", "unix:/run/avsproxy.sock"]
[console]
listen = "localhost:9745"
[store]
kind = "memory"
[[route]]
name = "first"
upstream = "https://api.example.com/v2"
credential = "live"
allow = ["GET /v2/things/*", "POST /v2/*"]
client_auth = "keep"
[[route]]
name = "device"
upstream = "https://device.example:8443"
credential = "missing"
hosts = ["other.example", "ported.example:81"]
client_auth = "reject"
[[route]]
name = "plain"
upstream = "https://plain.example"
headers = { "X-One" = "1" }
strip = ["Cookie"]
[[route]]
name = "avs"
preset = "avs"
upstream = "https://alexa.example"
credential = "live"
allow = ["GET /v20160207/*", "DELETE /v20160207/*", "POST /ping"]
token_endpoint = true
downchannel = "keep"
[credential.live]
grant = "static"
token = "a-token-that-nobody-may-see"
[credential.missing]
provider = "oauth2"
auth_url = "https://login.example/a"
token_url = "https://login.example/t"
client_id = "one"
`

// told is what an explanation has to say.
type told struct {
	route    string
	decision exchange.Decision
	code     problem.Code
	upstream string
	words    string // a part of its text
}

func TestExplainGoesByTheRulesOfAllRequests(t *testing.T) {
	e := explainerOf(t, explained)
	for request, want := range map[string]told{
		// A path alone.
		"GET /things/1?a=%20b": {"first", exchange.Injected, "", "https://api.example.com/v2/things/1?a=%20b", "first route"},
		"get /things/1":        {"first", exchange.Injected, "", "https://api.example.com/v2/things/1", `the rule "GET /v2/things/*"`},
		"GET /things/1#part":   {"first", exchange.Injected, "", "https://api.example.com/v2/things/1", "that goes on, and ours is not added"},
		"GET /other":           {"first", exchange.Refused, problem.NotAllowed, "", "no rule in the route's allow list"},
		"DELETE /things/1":     {"first", exchange.Refused, problem.NotAllowed, "", "add a rule to 'allow'"},
		"GET /things/../other": {"first", exchange.Refused, problem.NotAllowed, "", "plain form"},
		"GET //things/1":       {"first", exchange.Refused, problem.NotAllowed, "", "plain form"},
		"TRACE /things/1":      {"", exchange.Refused, problem.NotAllowed, "", "TRACE"},
		// The proxy's own URLs.
		"GET http://localhost:9744/things/1":                    {"first", exchange.Injected, "", "https://api.example.com/v2/things/1", "localhost means the first route"},
		"GET https://127.0.0.1:9744/things/1":                   {"first", exchange.Injected, "", "https://api.example.com/v2/things/1", "over TLS"},
		"GET http://plain.localhost:9744/x":                     {"plain", exchange.NoCredential, "", "https://plain.example/x", "plain.localhost is its name"},
		"GET http://PLAIN.localhost.:9744":                      {"plain", exchange.NoCredential, "", "https://plain.example/", "X-One"},
		"GET http://nobody.localhost:9744/x":                    {"", exchange.Refused, problem.UnknownHost, "", "use one of localhost, first.localhost"},
		"GET http://localhost:9999/things/1":                    {"", exchange.Refused, problem.NotAllowed, "", "with the proxy's port"},
		"GET http://device.localhost:9744/x":                    {"device", exchange.LoginMissing, problem.LoginRequired, "https://device.example:8443/x", "run 'avsproxy login missing', or open http://localhost:9745/login?credential=missing"},
		"POST http://avs.localhost:9744/ping":                   {"avs", exchange.Injected, "", "https://alexa.example/ping", "one HTTP/2 connection"},
		"POST http://avs.localhost:9744/AUTH/O2/token":          {"avs", exchange.StoodIn, "", "", "placeholder"},
		"GET http://avs.localhost:9744/v20160207/directives":    {"avs", exchange.Shared, "", "https://alexa.example/v20160207/directives", "keeps"},
		"DELETE http://avs.localhost:9744/v20160207/directives": {"avs", exchange.Injected, "", "https://alexa.example/v20160207/directives", "no speech that was streamed"},
		// As a forward proxy.
		"GET https://plain.example/x":       {"plain", exchange.NoCredential, "", "https://plain.example/x", "by CONNECT"},
		"GET http://plain.example/x":        {"plain", exchange.NoCredential, "", "https://plain.example/x", "whole URL in the request line"},
		"GET https://u:p@plain.example":     {"plain", exchange.NoCredential, "", "https://plain.example/", "its upstream's own name"},
		"GET https://other.example/x":       {"device", exchange.LoginMissing, problem.LoginRequired, "https://device.example:8443/x", "one of its hosts"},
		"GET https://device.example:8443/x": {"device", exchange.LoginMissing, problem.LoginRequired, "https://device.example:8443/x", "brings its own credential is answered with 403"},
		"GET https://device.example/x":      {"", exchange.Refused, problem.NotAllowed, "", "others"},
		"GET http://ported.example:81/x":    {"device", exchange.LoginMissing, problem.LoginRequired, "https://device.example:8443/x", "one of its hosts"},
		"GET http://ported.example/x":       {"", exchange.Refused, problem.NotAllowed, "", "others"},
		"GET https://evil.example/":         {"", exchange.Refused, problem.NotAllowed, "", "no route belongs to the host"},
		"CONNECT plain.example:443":         {"plain", "", "", "", "TLS ends here"},
		"CONNECT evil.example:443":          {"", exchange.Refused, problem.NotAllowed, "", "no route belongs to the host"},
	} {
		method, target, _ := strings.Cut(request, " ")
		x, err := e.Explain(method, target)
		if err != nil {
			t.Errorf("%s: %v", request, err)
			continue
		}
		text := strings.Join(x.Text, "\n")
		if got := (told{x.Route, x.Decision, x.Error, x.Upstream, want.words}); got != want || !strings.Contains(text, want.words) {
			t.Errorf("%s:\n%+v, want\n%+v\n%s", request, got, want, text)
		}
		if x.Allowed != (x.Decision != exchange.Refused) || strings.Contains(text, "nobody-may-see") {
			t.Errorf("%s: allowed %v\n%s", request, x.Allowed, text)
		}
	}
}

func TestExplainTellsOfTunnels(t *testing.T) {
	e := explainerOf(t, strings.Replace(explained, "[proxy]", "[proxy]\nothers = \"tunnel\"", 1))
	for target, want := range map[string]told{
		"https://evil.example/x": {"", exchange.Tunnelled, "", "tcp://evil.example:443", "not looked at"},
		"http://evil.example/x":  {"", exchange.NoCredential, "", "http://evil.example/x", "over HTTP/1.1"},
		"http://evil!example/x":  {"", exchange.Refused, problem.NotAllowed, "", "name the host in plain letters"},
	} {
		x := testkit.Must(e.Explain("GET", target))(t)
		if got := (told{x.Route, x.Decision, x.Error, x.Upstream, want.words}); got != want || !strings.Contains(strings.Join(x.Text, "\n"), want.words) {
			t.Errorf("%s: %+v, want %+v\n%s", target, got, want, x.Text)
		}
	}
}

func TestExplainRefusesWhatIsNoRequest(t *testing.T) {
	e := explainerOf(t, explained)
	for _, request := range []string{"GET ", "GET ping", "GET ftp://x/", "G=T /", "GET http://", "GET https://%zz/", "GET http:///x", "GET /%zz"} {
		method, target, _ := strings.Cut(request, " ")
		if x, err := e.Explain(method, target); err == nil {
			t.Errorf("%s: %v", request, x.Text)
		}
	}
}

func explainerOf(t *testing.T, text string) *explain.Explainer {
	t.Helper()
	conf := testkit.Must(config.Parse("config.toml", []byte(text), func(name string) string { return map[string]string{"HOME": t.TempDir()}[name] }))(t)
	a := &Environment{Getenv: func(string) string { return "" }}
	program := testkit.Must(Build(a, conf, Resolved{}))(t)
	return testkit.Must(NewExplainer(program, conf.Proxy.Listen, "you"))(t)
}
