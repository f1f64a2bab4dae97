package explain

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"avsproxy/internal/charset"
	"avsproxy/internal/config"
	"avsproxy/internal/exchange"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

func (x *Explanation) add(about, format string, args ...any) {
	x.Text = append(x.Text, about+": "+fmt.Sprintf(format, args...))
}

func whyRoute(a requestSpec, route config.Route, first bool) string {
	host := a.target.Authority.Host
	switch {
	case a.pathOnly:
		return "a path alone is asked of localhost, which means the first route"
	case slices.Contains(route.Hosts, a.target.Authority.String()):
		return a.target.Authority.String() + " is one of its hosts"
	case exchange.IsLocal(host) && !first:
		return "port " + a.target.Listener.Port + " is its own"
	case exchange.IsLocal(host):
		return host + " means the first route"
	case host == route.Name+".localhost":
		return host + " is its name"
	case slices.ContainsFunc(route.Hosts, func(name string) bool { return strings.HasPrefix(name+":", host+":") }):
		return host + " is one of its hosts"
	}
	return host + " is its upstream's own name"
}

func (e *Explainer) addToken(x *Explanation, facts Credential, route config.Route) {
	name := "credential " + route.Credential
	switch {
	case x.Decision == exchange.LoginMissing && !facts.NonInteractive:
		x.Hint = e.loginHint(facts, route)
		x.add("Token", "none: %s needs a login; answered with 503 %s; %s", name, x.Error, x.Hint)
	case x.Error != "":
		x.add("Token", "none: %s has no live token (%v); answered with 503 %s", name, facts.Status.Failure, x.Error)
	default:
		x.add("Token", "%s: %s, %s", cmp.Or(decisions[x.Decision], string(x.Decision)), name, tokenText(facts.Status))
	}
	x.add("Client's own", "%s", clientAuth[route.ClientAuth])
}

// clientAuth says what client_auth does to a credential of the client's.
var clientAuth = map[string]string{
	"keep":    "where a request brings its own credential, that goes on, and ours is not added",
	"reject":  "a request that brings its own credential is answered with 403 not_allowed",
	"replace": "ours takes the place of any credential that a request brings",
}

func (e *Explainer) loginHint(facts Credential, route config.Route) string {
	switch {
	case e.Conf.Sandbox && e.Origin(route).Host == "":
		return "run 'avsproxy serve', which logs in to its sandbox by itself"
	case facts.Page == "":
		return "run '" + facts.Command + "'"
	}
	return "run '" + facts.Command + "', or open " + facts.Page
}

// decisions are those whose names do not say what is done about the token.
var decisions = map[exchange.Decision]string{
	exchange.StoodIn: "the request for a token is answered here, with a placeholder token that stands for the real one",
	exchange.Shared:  "answered from the downchannel that the proxy keeps with its own token",
}

func tokenText(status tokens.Status) string {
	text := terminal.TokenText(status)
	if !status.Renewed.IsZero() {
		text += "; got " + terminal.When(status.Renewed)
	}
	return text
}

// addPath is about what follows the decision to send.
func (e *Explainer) addPath(x *Explanation, a requestSpec, route config.Route, standIn bool) {
	x.add("Client", "%s; %s", wayIn(a), strings.Join(x.Protocols.Client, ", "))
	if standIn {
		return
	}
	e.addUpstream(x, route)
	x.add("Retries", "%s", retriesText(a.method, route))
	x.add("Connection", "%s", connectionText(route))
	if rules := avsText(route); rules != "" {
		x.add("AVS", "%s", rules)
	}
}

func (e *Explainer) addUpstream(x *Explanation, route config.Route) {
	text := x.Upstream
	switch {
	case text == "":
		text = "the sandbox, once 'avsproxy serve' runs, in the place of " + route.Upstream
	case e.Conf.Sandbox:
		text += " (the sandbox, in the place of " + route.Upstream + ")"
	}
	if x.Protocols.Upstream != "" {
		text += ", which spoke " + x.Protocols.Upstream + " last"
	}
	x.add("Upstream", "%s", text)
	if len(route.Headers) > 0 {
		x.add("Added", "%s", strings.Join(slices.Sorted(maps.Keys(route.Headers)), ", "))
	}
	if len(route.Strip) > 0 {
		x.add("Left out", "%s", strings.Join(route.Strip, ", "))
	}
}

func clientProtocols(a requestSpec) []string {
	if a.target.Listener.TLS {
		return []string{"HTTP/1.1", "HTTP/2.0"}
	}
	return []string{"HTTP/1.0", "HTTP/1.1", "HTTP/2.0"}
}

// wayIn says how a client gets to us with such a URL.
func wayIn(a requestSpec) string {
	switch {
	case a.tunnel:
		return "by CONNECT (curl -x, HTTPS_PROXY), inside which TLS ends here; its client has to trust 'avsproxy ca path'"
	case a.target.Forward:
		return "with the whole URL in the request line (curl -x, http_proxy)"
	case a.target.Listener.TLS:
		return "over TLS; its client has to trust 'avsproxy ca path'"
	}
	return "in the clear, or over TLS with https:// in its place"
}

func retriesText(method string, route config.Route) string {
	unseen := "what the upstream says it has not looked at (GOAWAY, REFUSED_STREAM) is sent again"
	if route.Credential == "" || len(route.HealOn) == 0 {
		return unseen
	}
	var statuses []string
	for _, status := range route.HealOn {
		statuses = append(statuses, strconv.Itoa(status))
	}
	again := "once more"
	if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, method) {
		again = "once more if its body is no longer than 64 KiB, was read whole and is no speech that was streamed"
	}
	return "after " + strings.Join(statuses, " or ") + " the token is renewed and the request sent " + again + "; " + unseen
}

// A clause is a part of a sentence, if it holds.
type clause struct {
	holds bool
	text  string
}

func sentence(clauses ...clause) string {
	var parts []string
	for _, c := range clauses {
		if c.holds {
			parts = append(parts, c.text)
		}
	}
	return strings.Join(parts, "; ")
}

func connectionText(route config.Route) string {
	return sentence(
		clause{!route.SingleConnection, "HTTP/2 where the upstream speaks it, else HTTP/1.1"},
		clause{route.SingleConnection, "one HTTP/2 connection, made ahead and shared by all requests, where the upstream speaks it"},
		clause{route.WebSocket, "WebSockets over HTTP/1.1"},
		clause{route.PingInterval > 0, "pinged after " + terminal.Roughly(route.PingInterval) + " of silence"},
		clause{route.DialTimeout > 0, "connecting may take " + terminal.Roughly(route.DialTimeout)},
		clause{route.HeaderTimeout > 0, "the answer has to begin within " + terminal.Roughly(route.HeaderTimeout)},
	)
}

func avsText(route config.Route) string {
	return sentence(
		clause{route.SerializeEvents, "events go one after another"},
		clause{route.Synchronize, "a SynchronizeState follows each new downchannel"},
		clause{route.FollowGateway, "the route moves when AVS names another gateway"},
		clause{route.Downchannel == "keep", "the proxy holds the downchannel, and clients share it"},
		clause{route.TokenEndpoint, "clients' requests for tokens are answered here"},
	)
}

// Print puts what each sentence is about into a column of its own.
func Print(w io.Writer, x *Explanation) error {
	fmt.Fprintf(w, "%s %s\n", x.Method, charset.PrintableN(x.URL, 1<<10))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, sentence := range x.Text {
		about, rest, _ := strings.Cut(sentence, ": ")
		fmt.Fprintf(table, "  %s\t%s\n", strings.ToLower(about), charset.PrintableN(rest, 4<<10))
	}
	return table.Flush()
}
