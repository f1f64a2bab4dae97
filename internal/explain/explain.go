// Package explain says what would become of a request, without sending it.
package explain

import (
	"net/http"
	"net/url"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
	"avsproxy/proxy"
	"avsproxy/tokens"
)

// An Explanation is what would become of a request, without any secret.
type Explanation struct {
	Method     string            `json:"method"`
	URL        string            `json:"url"`
	Route      string            `json:"route"` // empty = none belongs to it
	Why        string            `json:"why"`
	Upstream   string            `json:"upstream"` // with the path and query as they would be sent; empty = nothing is sent
	Allowed    bool              `json:"allowed"`
	AllowWhy   string            `json:"allow_why"`
	Credential string            `json:"credential"`
	Decision   exchange.Decision `json:"decision"`
	Token      *TokenInfo        `json:"token,omitempty"`
	LoginURL   string            `json:"login_url,omitempty"`
	Error      problem.Code      `json:"error,omitempty"` // that the request would be answered with
	Hint       string            `json:"hint,omitempty"`
	Protocols  Protocols         `json:"protocols"`
	Text       []string          `json:"text"` // all of it for people, each begins with what it is about and a colon
}

// A TokenInfo is the state of the access token; times are absent where they are
// unknown.
type TokenInfo struct {
	State tokens.State `json:"state"`
	Age   *float64     `json:"age_s,omitempty"`
	Left  *float64     `json:"left_s,omitempty"`
}

// Protocols are those that a request may come in by, and the one that it goes out by.
type Protocols struct {
	Client   []string `json:"client"`
	Upstream string   `json:"upstream"` // empty = not known before it is connected to
}

// An Explainer evaluates a hypothetical request. It uses neither the network nor the
// upstream.
type Explainer struct {
	Conf      *config.Config
	Table     *gate.Table
	Rules     gate.Rules // those that need no request to ask them
	Listeners []listenAddr
	Callers   string // who may come in
	// Credential describes one that a route uses.
	Credential func(name string) (Credential, bool)
	// Origin is where a route sends its requests now; it has no host where that is the
	// sandbox, and none runs.
	Origin func(config.Route) *url.URL
	// Policy is what a route decides by heads alone.
	Policy func(config.Route) proxy.Policy
	// Spoken is the upstream's protocol in a route's latest exchange; nil = none is known.
	Spoken func(route string) string
}

// A Credential is what an explanation says of a credential.
type Credential struct {
	Status         tokens.Status
	NonInteractive bool   // no person logs in to it
	Command        string // that logs in to it
	Page           string // on which a person logs in; empty = its port is not known before 'serve' runs
}

// Explain is what GET /api/explain answers with. Its error is one of usage.
func (e *Explainer) Explain(method, text string) (*Explanation, error) {
	a, err := ParseRequest(method, text, e.Listeners)
	if err != nil {
		return nil, err
	}
	x := &Explanation{Method: a.method, URL: withoutUser(text), Protocols: Protocols{Client: clientProtocols(a)}}
	if p := e.Rules.Refuse(a.target); p != nil {
		x.refuse(*p)
		return x, nil
	}
	if i, ok := e.Table.Choose(a.target.Authority, a.target.Listener); ok {
		e.routed(x, a, e.Conf.Routes[i], i == 0)
	} else {
		x.other(a)
	}
	x.add("Callers", "%s", e.Callers)
	return x, nil
}

// withoutUser leaves a URL as it came, unless it has a password in it.
func withoutUser(text string) string {
	parsed, err := url.Parse(text)
	if err != nil || parsed.User == nil {
		return text
	}
	parsed.User = nil
	return parsed.String()
}

func (x *Explanation) refuse(p problem.Problem) {
	x.Why, x.Error, x.Hint, x.Decision = p.Detail, p.Code, p.Hint, exchange.Refused
	x.add("Route", "none: %s", p.Detail)
	x.add("Answer", "%d %s; %s", p.Code.Status(), p.Code, p.Hint)
}

// other is about a forward request that others = "tunnel" lets pass.
func (x *Explanation) other(a requestSpec) {
	x.Allowed, x.Decision = true, exchange.Tunnelled
	x.Why = `no route belongs to the host, and others = "tunnel" lets it pass`
	x.Upstream = "tcp://" + a.target.Host
	x.add("Route", "none: %s", x.Why)
	if !a.tunnel {
		x.Decision, x.Upstream = exchange.NoCredential, a.url.String()
		x.add("Token", "none; the request is sent on as it is, over HTTP/1.1")
		return
	}
	x.add("Token", "none; a CONNECT to %s becomes a tunnel, whose bytes are not looked at", a.target.Host)
}

func (e *Explainer) routed(x *Explanation, a requestSpec, route config.Route, first bool) {
	x.Route, x.Why = route.Name, whyRoute(a, route, first)
	x.add("Route", "%s: %s", route.Name, x.Why)
	if len(route.Accounts) > 0 && route.CredentialFrom.Header != "" {
		x.add("Account", "one of %d, which the field %s of the request names", len(route.Accounts), route.CredentialFrom.Header)
	}
	if a.method == http.MethodConnect {
		x.Allowed, x.AllowWhy = true, "TLS ends here, and each request inside the CONNECT is decided about by itself"
		x.add("Allowed", "yes: %s; ask with its method and https:// URL", x.AllowWhy)
		return
	}
	origin, policy := e.Origin(route), e.Policy(route)
	verdict := policy.Judge(&exchange.Head{Method: a.method, Path: a.url.EscapedPath(), Fields: httpexchange.Fields{}})
	if !x.permit(verdict, policy) {
		return
	}
	standIn := verdict.Action == proxy.AnswerToken
	e.token(x, verdict, route)
	if origin.Host != "" && !standIn {
		x.Upstream = proxy.TargetURL(origin, a.url).String()
	}
	if e.Spoken != nil {
		x.Protocols.Upstream = e.Spoken(route.Name)
	}
	e.addPath(x, a, route, standIn)
}

// permit goes by the allow list, before which token requests are answered.
func (x *Explanation) permit(verdict proxy.Verdict, policy proxy.Policy) bool {
	x.Allowed, x.AllowWhy = true, `the rule "`+verdict.Rule+`" of the route's allow list covers it`
	switch {
	case verdict.Action == proxy.AnswerToken:
		x.AllowWhy = "requests for tokens are answered here"
	case verdict.Action == proxy.Refuse:
		x.Allowed, x.AllowWhy = false, verdict.Why
		x.Decision, x.Error, x.Hint = exchange.Refused, problem.NotAllowed, proxy.NotListedHint
		x.add("Allowed", "no: %s; answered with 403 %s; %s", x.AllowWhy, x.Error, x.Hint)
		return false
	case len(policy.Allow) == 0:
		x.AllowWhy = "the route has no allow list"
	}
	x.add("Allowed", "yes: %s", x.AllowWhy)
	return true
}

// token tells what is done about the credential, in its present state.
func (e *Explainer) token(x *Explanation, verdict proxy.Verdict, route config.Route) {
	x.Credential, x.Decision = route.Credential, exchange.NoCredential
	if route.Credential == "" {
		x.add("Token", "none: the route has no credential; the request passes as it is")
		return
	}
	facts, ok := e.Credential(route.Credential)
	if !ok {
		return
	}
	status := facts.Status
	now := time.Now()
	x.Token = &TokenInfo{State: status.State, Age: seconds(now, status.Renewed, -1), Left: seconds(now, status.Expiry, 1)}
	switch {
	case status.State == tokens.StateLoginNeeded:
		x.Decision, x.Error = exchange.LoginMissing, problem.LoginRequired
		x.LoginURL = facts.Page
	case status.State == tokens.StateFailing:
		x.Decision, x.Error = exchange.RefreshFailed, problem.TokenRefreshFailed
	default:
		x.Decision = verdict.Decision()
	}
	e.addToken(x, facts, route)
}

// seconds is from now to t, or the other way where sign is -1; nil = t is unknown.
func seconds(now, t time.Time, sign float64) *float64 {
	if t.IsZero() {
		return nil
	}
	return new(sign * t.Sub(now).Truncate(time.Second).Seconds())
}
