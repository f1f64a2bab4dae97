package config

import (
	"maps"
	"net/netip"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// allRoutes accepts [[route]] tables and, as TOML does, a list of inline ones.
func (d *decoder) allRoutes(root *table) []Route {
	var routes []Route
	for i, values := range root.tables("route") {
		t := &table{d: d, at: root.at.key("route").item(i), values: values}
		d.routes = append(d.routes, t)
		routes = append(routes, t.route())
	}
	empty, isList := root.values["route"].([]any)
	missing := !root.has("route") || isList && len(empty) == 0
	root.reportIf(missing, "route", "is missing", `add a [[route]] with name, upstream and credential`)
	return routes
}

func (t *table) tables(key string) []map[string]any {
	if found, ok := t.values[key].([]map[string]any); ok {
		t.known = append(t.known, key)
		return found
	}
	return list[map[string]any](t, key, "a list of tables; write [[route]], in double brackets", nil)
}

func (t *table) route() Route {
	p := t.preset()
	r := Route{
		Upstream: p.upstream, Preset: p.name, Header: p.header, Format: p.format,
		ClientAuth: "replace", HealOn: p.healOn, RewriteLocation: true, Downchannel: "pass",
		SingleConnection: p.singleConnection, PingInterval: 4 * time.Minute, DialTimeout: 10 * time.Second,
		Line: t.at.line,
	}
	if r.Listen = t.listen(""); !t.has("listen") {
		r.Listen = nil
	}
	if t.has("credential_from") {
		r.CredentialFrom = t.sub("credential_from", "a table with header or host, and table").credentialFrom()
	}
	t.decode(&r)
	t.checkRoute(&r)
	return r
}

func (t *table) checkRoute(r *Route) {
	t.checkRouteName(r.Name)
	if r.Upstream != "" {
		t.checkBase("upstream", r.Upstream)
	} else if r.Preset != "" || !t.has("preset") { // a wrong preset is reported already
		t.require("upstream", `write the URL of the API, like upstream = "https://api.example.com", or name a preset`)
	}
	t.reportIf(t.values["credential"] == "", "credential", "is empty", "name a credential, or leave the line out to inject nothing")
	if r.TLSCert != "" {
		t.require("tls_key", "tls_cert needs its key")
	}
	if r.TLSKey != "" {
		t.require("tls_cert", "tls_key needs its certificate")
	}
	t.checkCredentialUse(r)
	t.checkHeaders(r.Headers)
	t.checkStrip(r)
	t.checkAllow(r.Allow)
	t.reportIf(r.Probe != "" && !regexp.MustCompile(`^[A-Z]+ /[!-~]*$`).MatchString(r.Probe), "probe", "is not a method and a path", `write it like "GET /ping"`)
	for _, status := range r.HealOn {
		t.reportIf(status < 400 || status > 599, "heal_on", "has a number that is not an error status", "statuses are from 400 to 599, like [401, 403]")
	}
	t.checkOrigins(r.AllowOrigin)
	for i, host := range r.Hosts {
		r.Hosts[i] = strings.ToLower(host)
		if name, port := t.checkHost("hosts", i, r.Hosts[i]); loopback(name) && port == "" {
			t.reportItem("hosts", i, "always means the first route", "move the route to the top, use NAME.localhost, or name a port that is forwarded to the proxy's")
		}
	}
}

// checkOrigins checks for what a client sends as Origin (RFC 6454 section 6.2).
func (t *table) checkOrigins(origins []string) {
	for i, origin := range origins {
		switch {
		case origin == "*" || origin == "null":
			t.reportItem("allow_origin", i, "would let web pages in", "name the Origin that the program sends, letter by letter")
		case !regexp.MustCompile(`^[a-z][a-z0-9+.-]*://[^\s/?#@*]+$`).MatchString(origin):
			t.reportItem("allow_origin", i, "is not an origin", `write it as the program sends it, like "http://localhost:9744"`)
		}
	}
}

// checkCredentialUse checks that what acts for a device or a client has a credential.
// A downchannel is kept with the route's credential, so that no client gets the
// directives of another identity.
func (t *table) checkCredentialUse(r *Route) {
	none, remedy := !t.has("credential") && !t.has("credential_from"), "name a credential, or leave the line out"
	t.reportIf(none && r.TokenEndpoint, "token_endpoint", "needs a credential whose tokens the client's stand for", remedy)
	t.reportIf(none && r.Synchronize, "synchronize", "needs the credential of the device that it speaks for", remedy)
	t.reportIf(none && r.FollowGateway, "follow_gateway", "needs the credential of the device that AVS speaks to", remedy)
	kept := r.Downchannel == "keep"
	t.reportIf(kept && none, "downchannel", "needs a credential to be kept with", `name a credential, or set downchannel = "pass"`)
	t.reportIf(kept && !none && (r.ClientAuth == "keep" || r.ClientAuth == "reject"), "downchannel",
		"is kept with the route's own credential", `set client_auth = "replace", or downchannel = "pass"`)
}

func (t *table) checkRouteName(name string) {
	t.require("name", `give the route a short name, like name = "avs"`)
	t.reportIf(name != "" && !isLabel(name), "name", "cannot be part of a host name",
		`use lower-case letters, digits and inner hyphens, like "avs"; the route is reached as NAME.localhost`)
}

// isLabel follows RFC 1123, in lower case.
func isLabel(name string) bool {
	return regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`).MatchString(name)
}

// checkBase checks a URL that other URLs are made from.
func (t *table) checkBase(key, text string) {
	if t.checkHTTPS(key, text) {
		u, _ := url.Parse(text)
		t.reportIf(u.RawQuery != "" || u.ForceQuery, key, "must not have a query", "end the URL before the question mark")
	}
}

// checkHTTPS refuses a URL to which a token or a secret would go in clear text.
func (t *table) checkHTTPS(key, text string) bool {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || !validPort(u):
		t.report(key, "is not a URL", `write it like "https://api.example.com"`)
	case u.Scheme != "https":
		t.report(key, "must begin with https://", "tokens and secrets are sent only over TLS")
	case u.User != nil:
		t.report(key, "must not have a user name or password", "credentials belong in a [credential.NAME] table")
	case strings.Contains(text, "#"):
		t.report(key, "must not have a fragment", "end the URL before the #")
	default:
		return true
	}
	return false
}

func (t *table) checkHeaders(headers map[string]string) {
	at := t.at.key("headers")
	for name, value := range headers {
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			t.d.report(at.key(name), "is not the name of a header", "")
		case connectionField(name):
			t.d.report(at.key(name), "is set by the connection and cannot be configured", "")
		case !httpguts.ValidHeaderFieldValue(value):
			t.d.report(at.key(name), "has characters that a header cannot carry", "")
		}
	}
}

// checkStrip refuses the fields of the connection and of a WebSocket's handshake
// (RFC 6455 section 4.1).
func (t *table) checkStrip(r *Route) {
	for i, name := range r.Strip {
		switch canonical := textproto.CanonicalMIMEHeaderKey(name); {
		case !httpguts.ValidHeaderFieldName(name):
			t.reportItem("strip", i, "is not the name of a header", "")
		case connectionField(name):
			t.reportItem("strip", i, "is set by the connection and cannot be removed", "")
		case r.WebSocket && (canonical == "Sec-Websocket-Key" || canonical == "Sec-Websocket-Version"):
			t.reportItem("strip", i, "is what a WebSocket begins with", "leave it out, or set websocket = false")
		case canonical == "Authorization" && (r.ClientAuth == "keep" || r.ClientAuth == "reject"):
			t.reportItem("strip", i, "is what client_auth decides about", `leave it out, or set client_auth = "replace"`)
		}
	}
}

func connectionField(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Host", "Connection", "Content-Length", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Keep-Alive", "Proxy-Connection":
		return true
	}
	return false
}

func (t *table) checkAllow(entries []string) {
	for i, entry := range entries {
		if !regexp.MustCompile(`^[A-Z][A-Z-]* /[^\s?#]*$`).MatchString(entry) {
			t.reportItem("allow", i, "is not a method and a path", `write it like "GET /v20160207/*"`)
		}
	}
}

// checkHost returns the parts of a host in an array; they are empty when it is wrong.
func (t *table) checkHost(key string, i int, host string) (name, port string) {
	name, port, hasPort := strings.Cut(host, ":")
	if strings.HasPrefix(host, "[") {
		name, port, hasPort = strings.Cut(host[1:], "]:")
		name = strings.TrimSuffix(name, "]")
	}
	_, notAddress := netip.ParseAddr(name)
	if !regexp.MustCompile(`^[a-z0-9]([a-z0-9._:-]*[a-z0-9:])?$`).MatchString(name) && notAddress != nil || hasPort && !isPort(port) {
		t.reportItem(key, i, "is not a host", `write a name, perhaps with a port, like "api.example.com" or "api.example.com:8443"`)
		return "", ""
	}
	return name, port
}

// withPreset adds what a preset takes from the route's credential. Settings of the
// file come first.
func (r *Route) withPreset(c Credential, credential *table) {
	p := presetNamed(r.Preset)
	if credential.has("header") || credential.has("format") {
		r.Header, r.Format = "", ""
	}
	if p.clientIDHeader == "" || c.ClientID == "" || named(r.Headers, p.clientIDHeader) {
		return
	}
	headers := map[string]string{p.clientIDHeader: c.ClientID}
	maps.Copy(headers, r.Headers)
	r.Headers = headers
}

func named(headers map[string]string, name string) bool {
	for have := range headers {
		if strings.EqualFold(have, name) {
			return true
		}
	}
	return false
}

// preset is what avsproxy knows about an API, so that files need not have it.
type preset struct {
	name             string
	upstream         string // in North America; other routes set their own
	header           string
	format           string
	healOn           []int
	singleConnection bool
	clientIDHeader   string // static header that repeats the credential's client_id
}

// presets has first the one of routes without a preset.
func presets() []preset {
	refused := []int{401, 403} // these APIs answer 403 to an expired token too
	return []preset{
		{healOn: []int{401}},
		{name: "avs", upstream: "https://alexa.na.gateway.devices.a2z.com", healOn: refused, singleConnection: true},
		{name: "sp-api", upstream: "https://sellingpartnerapi-na.amazon.com", healOn: refused,
			header: "x-amz-access-token", format: "{token}"},
		{name: "amazon-ads", upstream: "https://advertising-api.amazon.com", healOn: refused,
			clientIDHeader: "Amazon-Advertising-API-ClientId"},
		{name: "smapi", upstream: "https://api.amazonalexa.com", healOn: refused},
		{name: "skill-messaging", upstream: "https://api.amazonalexa.com", healOn: refused},
		{name: "alexa-events", upstream: "https://api.amazonalexa.com", healOn: refused},
	}
}

// preset gets the route's preset. A wrong one counts as none.
func (t *table) preset() preset {
	var names []string
	for _, p := range presets()[1:] {
		names = append(names, p.name)
	}
	return presetNamed(t.oneOf("preset", t.text("preset", ""), names))
}

func presetNamed(name string) preset {
	for _, p := range presets() {
		if p.name == name {
			return p
		}
	}
	return presets()[0]
}
