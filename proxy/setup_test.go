package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/breakpoint"
	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/h2"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/httpserver"
	"avsproxy/internal/problem"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
	"avsproxy/tokens"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	canary   = "Atza|" + testkit.Canary + "-token-sandbox"
	loginURL = "https://localhost:9745/login"
)

// A line is the whole way of a request, from a listener to an upstream, joined as
// the program joins it.
type line struct {
	url       string // of the proxy
	addr      string
	handler   http.Handler
	upstream  *upstream.Upstream
	source    *tokens.Source
	route     *Route
	group     h2.Group
	standard  bool                // the engine
	bridged   atomic.Int64        // requests over HTTP/2 that the relay left to the handler
	conns     *dialed             // to the upstream
	opened    chan *io.PipeWriter // the channels of [spoken]
	mu        sync.Mutex
	exchanges []endedExchange
	log       strings.Builder // what net/http said
}

// Write takes log lines.
func (l *line) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

func (l *line) logged() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.String()
}

// ended waits for the nth exchange to end and returns it.
func (l *line) ended(t testing.TB, n int) endedExchange {
	t.Helper()
	var e endedExchange
	testkit.Eventually(t, "the exchange to end", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.exchanges) < n {
			return false
		}
		e = l.exchanges[n-1]
		return true
	})
	return e
}

// Plan is what a test may change of a line.
type plan struct {
	options    upstream.Options // Origin is set
	source     *tokens.Source
	policy     Policy
	credential Credential                       // HealOn, ClientAuth, Header, Format, Placeholder are taken
	rules      func(*Route, *upstream.Upstream) // AVS's, which may change the route
	front      net.Listener                     // nil = a free port

	rewriteLocation bool
	standard        bool     // the engine
	observe         Observer // Record and DecisionHeader are taken
}

// build starts a proxy in front of origin.
func build(t testing.TB, origin string, roots *x509.CertPool, p plan) *line {
	t.Helper()
	target := testkit.Must(url.Parse(origin))(t)
	l := &line{source: p.source, standard: p.standard}
	p.options.Origin, p.options.Roots = target, roots
	p.options.Group, p.options.Standard = &l.group, isStandard() || p.standard
	l.conns = &dialed{dial: p.options.Dial, control: p.options.Control}
	p.options.Dial = l.conns.Dial
	l.upstream = upstream.New(p.options)
	p.credential.Source = p.source
	p.policy.Name = "avs"
	l.route = &Route{
		Policy: p.policy, Credential: p.credential, Origin: target, RewriteLocation: p.rewriteLocation,
		Upstream:      func() (upstream.Sender, exchange.Follower) { return l.upstream, nil },
		TokenEndpoint: &TokenEndpoint{Placeholder: p.credential.Placeholder, Source: p.source},
		LoginURL:      loginURL, ErrorLog: log.New(l, "", 0),
	}
	if p.rules != nil {
		p.rules(l.route, l.upstream)
	}
	l.serve(t, p.front, l.handlerOf(t, l.route, p.observe))
	return l
}

// handlerOf is the whole handler with one route.
func (l *line) handlerOf(t testing.TB, route *Route, observe Observer) *Handler {
	t.Helper()
	table := &gate.Table{}
	testkit.NoError(t, table.Add("avs", "alexa.example.com"))
	observe.Ended = l.noteEnd
	return &Handler{
		Rules: gate.Rules{Host: table.Knows, Names: table.Names()}, Table: table, Routes: []*Route{route.Start()}, Observer: observe, Points: new(breakpoint.Points),
	}
}

func (l *line) noteEnd(x *exchange.Exchange, f exchange.Facts) {
	e := endedExchange{Facts: f, Method: x.Head.Method, Path: x.Head.Path}
	if f.Route == "" {
		e.Path = x.Head.Address()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.exchanges = append(l.exchanges, e)
}

// An endedExchange is an exchange after its end.
type endedExchange struct {
	exchange.Facts
	Method, Path string
}

// dialed are the connections to an upstream.
type dialed struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error) // nil = net.Dialer's, with control
	control func(context.Context, string, string, syscall.RawConn) error
	mu      sync.Mutex
	all     []net.Conn
}

func (d *dialed) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	dial := d.dial
	if dial == nil {
		dial = (&net.Dialer{ControlContext: d.control}).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.all = append(d.all, conn)
	}
	return conn, err
}

// dropAll breaks all connections, as when the network goes.
func (l *line) dropAll() {
	l.conns.mu.Lock()
	defer l.conns.mu.Unlock()
	for _, conn := range l.conns.all {
		conn.Close()
	}
}

// A fakeSender sends to no upstream.
type fakeSender struct {
	origin *url.URL
	send   func(*http.Request) (*http.Response, error)
}

func (f fakeSender) Origin() *url.URL { return f.origin }

func (f fakeSender) Send(_ *exchange.Exchange, req *http.Request, authorize upstream.Authorize) (*http.Response, error) {
	out, err := authorize.Finish(req)
	if err != nil {
		return nil, upstream.Refuse(req, err)
	}
	return f.send(out)
}

// routeTo is a route without a listener.
func routeTo(sender upstream.Sender, credential Credential, stages ...exchange.Stage) *Route {
	return &Route{
		Origin: sender.Origin(), Credential: credential, Stages: stages,
		Upstream: func() (upstream.Sender, exchange.Follower) { return sender, nil },
	}
}

// RoundTrip sends a request of nobody's exchange.
func (route *Route) RoundTrip(req *http.Request) (*http.Response, error) {
	return route.Send(exchange.New(nil, httpexchange.Head(req)), req)
}

// Bounds of other rooms, as their pages have them.
const (
	keptMost      = 64 << 10 // of a body that can be sent again
	partMost      = 1 << 20  // of a downchannel's part
	proxyHeadMost = 64 << 10
	addressesMost = 16 // that a gateway tells of
	formerMost    = 4  // upstreams that a gateway leaves at a time
	sendTries     = 3  // without a pause
	dialGrace     = 100 * time.Millisecond
	upstreamLost  = "the upstream's connection was lost"
)

// isStandard reports whether the standard engine is tested: AVSPROXY_ENGINE=standard go test
// ./proxy.
func isStandard() bool { return os.Getenv("AVSPROXY_ENGINE") == "standard" }

// newServer is the server of a handler, with the engine that is tested.
func (l *line) newServer(handler http.Handler) *httpserver.Server {
	server := httpserver.New(handler, log.New(l, "", 0))
	h, ok := handler.(*Handler)
	server.WebSockets = ok && slices.ContainsFunc(h.Routes, func(route *Route) bool { return route.WebSocket })
	server.Group = &l.group
	server.Standard = isStandard() || l.standard
	if ok && !server.Standard {
		server.Relay = func(conn *exchange.Conn, bridge *h2.Bridge) h2.Acceptor {
			inner := bridge.Handler
			bridge.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				l.bridged.Add(1)
				inner.ServeHTTP(w, r)
			})
			return h.Acceptor(conn, bridge)
		}
	}
	return server
}

func (l *line) serve(t testing.TB, ln net.Listener, handler http.Handler) {
	t.Helper()
	if ln == nil {
		ln = testkit.Listen(t)
	}
	l.handler = handler
	server := l.newServer(handler)
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(ln) })
	t.Cleanup(func() {
		server.Close()
		l.upstream.Close()
		serving.Wait()
	})
	l.addr = ln.Addr().String()
	l.url = "http://" + l.addr
}

// toSandbox is a line to a sandbox whose login is made.
func toSandbox(t testing.TB, o sandbox.Options, p plan) (*line, *sandbox.Sandbox) {
	t.Helper()
	s := start(t, o)
	p.source = login(t, s)
	p.options.SingleConnection = true
	p.credential.HealOn = []int{401, 403}
	return build(t, s.AVS(), s.Pool(), p), s
}

func start(t testing.TB, o sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	s := testkit.Must(sandbox.Start(o))(t)
	t.Cleanup(func() { s.Close() })
	return s
}

func clientOf(t testing.TB, s *sandbox.Sandbox) *tokens.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.Pool()}, DisableKeepAlives: true}
	return &tokens.Client{
		ID:          sandbox.ClientID,
		Secret:      func() (tokens.Secret, error) { return sandbox.ClientSecret, nil },
		AuthURL:     s.LWA() + "/ap/oa",
		TokenURL:    s.LWA() + "/auth/o2/token",
		RedirectURL: "https://localhost:9745/authresponse",
		Scopes:      []string{"alexa:all"},
		AuthParams:  map[string]string{"scope_data": tokens.AlexaScopeData("test_device", "1")},
		HTTP: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
	}
}

// login makes the login to a sandbox through its pages.
func login(t testing.TB, s *sandbox.Sandbox) *tokens.Source {
	t.Helper()
	return loginBy(t, clientOf(t, s))
}

func loginBy(t testing.TB, client *tokens.Client) *tokens.Source {
	t.Helper()
	source := &tokens.Source{Name: "alexa", Kind: "authorization_code", Store: &tokens.MemoryStore{}, Renew: client.Refresh}
	var logins tokens.Logins
	begun := testkit.Must(logins.Begin(t.Context(), source, client))(t)
	resp := testkit.Must(client.HTTP.Get(begun.URL))(t)
	resp.Body.Close()
	target := testkit.Must(resp.Location())(t)
	testkit.Must(logins.Callback(t.Context(), target))(t)
	return source
}

// static is a source with a token that never ends.
func static() *tokens.Source {
	return &tokens.Source{
		Name: "static", Kind: "static", Store: &tokens.MemoryStore{},
		Seed: starting(tokens.Grant{Kind: "static", Access: canary}),
	}
}

func starting(grant tokens.Grant) func() (tokens.Grant, error) {
	return func() (tokens.Grant, error) { return grant, nil }
}

// loggedOut is a source that nobody has logged in to.
func loggedOut() *tokens.Source {
	renew := func(context.Context, tokens.Grant) (tokens.Grant, error) { panic("there is nothing to renew") }
	return &tokens.Source{Name: "alexa", Kind: "authorization_code", Store: &tokens.MemoryStore{}, Renew: renew}
}

// upstreamTLS is an upstream of a test's own, over TLS with HTTP/2.
func upstreamTLS(t testing.TB, handler http.Handler, change ...func(*httptest.Server)) (origin string, roots *x509.CertPool) {
	t.Helper()
	server := testkit.TLSServer(t, handler, change...)
	return server.URL, testkit.Pool(server)
}

// clients are the two protocols that programs speak to the proxy.
func clients(t testing.TB) map[string]*http.Client {
	return map[string]*http.Client{"HTTP1": h1Client(t), "h2c": h2cClient(t)}
}

func h1Client(t testing.TB) *http.Client {
	client := newClient(t, (*http.Protocols).SetHTTP1)
	client.Transport = takingTrailers{client.Transport.(*http.Transport)}
	return client
}

// takingTrailers says what net/http's client does, but does not say.
type takingTrailers struct{ *http.Transport }

func (t takingTrailers) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Te", "trailers")
	return t.Transport.RoundTrip(r)
}

func h2cClient(t testing.TB) *http.Client { return newClient(t, (*http.Protocols).SetUnencryptedHTTP2) }

func newClient(t testing.TB, set func(*http.Protocols, bool)) *http.Client {
	protocols := &http.Protocols{}
	set(protocols, true)
	transport := &http.Transport{Protocols: protocols, DisableCompression: true, MaxIdleConnsPerHost: 300}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// over runs a test over both protocols.
func over(t *testing.T, test func(t *testing.T, client *http.Client)) {
	for name := range clients(t) {
		t.Run(name, func(t *testing.T) { test(t, clients(t)[name]) })
	}
}

func request(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	return testkit.Must(http.NewRequestWithContext(testkit.Context(t), method, url, body))(t)
}

type answer struct {
	*http.Response
	body []byte
}

func do(t testing.TB, client *http.Client, r *http.Request) answer {
	t.Helper()
	resp := testkit.Must(client.Do(r))(t)
	defer resp.Body.Close()
	body := testkit.Must(io.ReadAll(resp.Body))(t)
	return answer{resp, body}
}

func get(t testing.TB, client *http.Client, url string) answer {
	t.Helper()
	return do(t, client, request(t, "GET", url, nil))
}

// A told is a problem as a client reads it.
type told struct {
	Type, Title, Detail, Code, Hint string
	Status                          int
	LoginURL                        string `json:"login_url"`
}

// problemOf checks the form of a problem and returns it.
func problemOf(t testing.TB, a answer, code problem.Code) told {
	t.Helper()
	var p told
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("not a problem: %s %q", a.Status, a.body)
	}
	if p.Code != string(code) || a.Header.Get(problem.Header) != string(code) || a.StatusCode != code.Status() || p.Status != code.Status() {
		t.Fatalf("got %s %q, want %s", a.Status, a.body, code)
	}
	if kind := a.Header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("Content-Type: %q", kind)
	}
	if p.Type == "" || p.Title == "" || p.Detail == "" || p.Hint == "" {
		t.Errorf("something is missing: %s", a.body)
	}
	testkit.NoCanary(t, "the problem", string(a.body))
	return p
}

func transportOf(client *http.Client) *http.Transport {
	if taking, ok := client.Transport.(takingTrailers); ok {
		return taking.Transport
	}
	return client.Transport.(*http.Transport)
}
