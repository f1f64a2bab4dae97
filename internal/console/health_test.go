package console

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/peer"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func TestHealthBeforeAndAfterLogin(t *testing.T) {
	d := start(t, setup{})
	want(t, d.ask("GET", "/livez"), 200, "ok")
	a := d.ask("GET", "/readyz")
	want(t, a, 503)
	ready := decode[api.Readiness](t, a)
	if len(ready.Routes) != 2 || ready.Ready || ready.Routes[0].Ready || !strings.Contains(ready.Routes[0].Reason, "logged in") {
		t.Errorf("before the login: %+v", ready)
	}
	if !ready.Routes[1].Ready {
		t.Error("a route without a credential is not ready")
	}
	d.login()
	a = d.ask("GET", "/readyz")
	want(t, a, 200)
	if ready := decode[api.Readiness](t, a); !ready.Ready || !ready.Routes[0].Ready || ready.Routes[0].Reason != "" {
		t.Errorf("after the login: %+v", ready)
	}
	want(t, d.ask("HEAD", "/readyz"), 200)
}

func TestReadinessTurnsRedWithTheProvider(t *testing.T) {
	d := start(t, setup{})
	ended := tokens.Grant{
		Kind: "authorization_code", ClientID: d.client.ID, Issuer: d.client.TokenURL, Access: "ended", Refresh: "unknown",
		Renewed: time.Now().Add(-2 * time.Hour), Expiry: time.Now().Add(-time.Hour),
	}
	testkit.NoError(t, d.source.SetGrant(context.Background(), ended))
	want(t, d.ask("GET", "/readyz"), 503, "no longer accepts")
	want(t, d.ask("GET", "/status"), 200, "login needed", "no longer accepts", "No token can be sent")
	want(t, d.ask("GET", "/livez"), 200)
	d.login()
	want(t, d.ask("GET", "/readyz"), 200)
}

func TestRouteWithoutItsCredentialIsNotReady(t *testing.T) {
	d := start(t, setup{})
	d.Routes = []Route{{Route: api.Route{Name: "odd", Credential: "nobody"}}}
	want(t, d.ask("GET", "/readyz"), 503, "nobody")
}

func TestStatusHoldsNoSecret(t *testing.T) {
	d := start(t, setup{})
	grant := tokens.Grant{
		Kind: "authorization_code", ClientID: d.client.ID, Issuer: d.client.TokenURL,
		Access: testkit.Canary + "access", Refresh: testkit.Canary + "refresh", Scopes: []string{"alexa:all"},
		LoggedIn: time.Now(), Renewed: time.Now(), Expiry: time.Now().Add(time.Hour),
	}
	testkit.NoError(t, d.source.SetGrant(context.Background(), grant))
	d.client.Secret = func() (tokens.Secret, error) { return testkit.Canary + "client", nil }
	authorize := d.begin()
	for _, path := range []string{"/api/status", "/status", "/login", "/readyz", "/metrics", "/livez"} {
		a := d.ask("GET", path)
		want(t, a, 200)
		testkit.NoCanary(t, path, a.text)
		for _, secret := range []string{authorize.Query().Get("state"), authorize.Query().Get("code_challenge")} {
			if strings.Contains(a.text, secret) {
				t.Errorf("%s shows a secret:\n%s", path, a.text)
			}
		}
	}
	status := decode[api.Status](t, d.ask("GET", "/api/status"))
	got := status.Credentials[0]
	if got.Name != "alexa" || got.State != tokens.StateReady || !got.Renewable || !got.Login || got.ExpiresAt == nil || got.LoggedInAt == nil {
		t.Errorf("status %+v", got)
	}
	if status.PID == 0 || status.Version != "test" || len(status.Routes) != 2 || status.Console != d.Self {
		t.Errorf("status %+v", status)
	}
}

// scrape reads the metrics as Prometheus does.
func (d *desk) scrape() map[string]*dto.MetricFamily {
	d.t.Helper()
	a := d.ask("GET", "/metrics")
	want(d.t, a, 200)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return testkit.Must(parser.TextToMetricFamilies(strings.NewReader(a.text)))(d.t)
}

func TestMetricsOfTheContract(t *testing.T) {
	d := start(t, setup{})
	if got := gaugeOf(d.scrape(), "avsproxy_token_expires_in_seconds"); got != 0 {
		t.Errorf("without a token it ends in %v s", got)
	}
	d.ask("GET", "/readyz")
	if got := gaugeOf(d.scrape(), "avsproxy_login_needed"); got != 1 {
		t.Errorf("login_needed is %v before the login", got)
	}
	d.login()
	testkit.Must(d.source.Fresh(context.Background(), 2*time.Hour))(t)
	d.Metrics.Connections("avs", 1)
	d.Metrics.Began("avs")
	d.Metrics.Began("avs")
	d.Metrics.Done("avs", 204, 3*time.Millisecond, "injected")
	d.Metrics.Refused(421)

	labels := map[string]string{
		"avsproxy_requests_total":           "code route",
		"avsproxy_request_seconds":          "",
		"avsproxy_injected_total":           "decision route",
		"avsproxy_refresh_total":            "credential outcome",
		"avsproxy_token_expires_in_seconds": "credential",
		"avsproxy_login_needed":             "credential",
		"avsproxy_upstream_connections":     "route",
		"avsproxy_streams_open":             "route",
		"go_goroutines":                     "",
		"process_open_fds":                  "",
	}
	families := d.scrape()
	for name, want := range labels {
		family := families[name]
		if family == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		var got []string
		for _, pair := range family.Metric[0].Label {
			got = append(got, pair.GetName())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has the labels %v, want %s", name, got, want)
		}
	}
	if kind := families["avsproxy_request_seconds"].GetType(); kind != dto.MetricType_HISTOGRAM {
		t.Errorf("request_seconds is a %v", kind)
	}
	if got := gaugeOf(families, "avsproxy_streams_open"); got != 1 {
		t.Errorf("%v streams are open, want 1", got)
	}
	if got := gaugeOf(families, "avsproxy_token_expires_in_seconds"); got < 3500 || got > 3600 {
		t.Errorf("the token ends in %v s", got)
	}
	if got := gaugeOf(families, "avsproxy_login_needed"); got != 0 {
		t.Errorf("login_needed is %v after the login", got)
	}
}

func gaugeOf(families map[string]*dto.MetricFamily, name string) float64 {
	if family := families[name]; family != nil {
		return family.Metric[0].GetGauge().GetValue()
	}
	return math.NaN()
}

func TestTokensThatNeverEnd(t *testing.T) {
	source := &tokens.Source{Name: "fixed", Store: &tokens.MemoryStore{}, Seed: func() (tokens.Grant, error) { return tokens.Grant{Access: "x"}, nil }}
	testkit.Must(source.Token(context.Background()))(t)
	if got := secondsLeft(source.Status()); !math.IsInf(got, +1) {
		t.Errorf("it ends in %v s", got)
	}
}

// Two programs in one process must not meet in a global registry.
func TestMetricsAreNotGlobal(t *testing.T) {
	for range 2 {
		NewMetrics().Credential(&tokens.Source{Name: "alexa", Store: &tokens.MemoryStore{}})
	}
}

// Other users of the machine hear that a route is not ready, and no more: what the
// provider says and where files are is the owner's.
func TestReadinessTellsStrangersNoDetails(t *testing.T) {
	d := start(t, setup{})
	ended := tokens.Grant{
		Kind: "authorization_code", ClientID: d.client.ID, Issuer: d.client.TokenURL, Access: "ended", Refresh: "unknown",
		Renewed: time.Now().Add(-2 * time.Hour), Expiry: time.Now().Add(-time.Hour),
	}
	testkit.NoError(t, d.source.SetGrant(context.Background(), ended))
	d.Users = &peer.Users{UIDs: []int{1000}}
	ask := func(p peer.Peer, key string) api.RouteReadiness {
		r := httptest.NewRequest("GET", "/readyz", nil)
		r.Host = "localhost"
		ctx := context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{Port: 80}))
		r = r.WithContext(httpexchange.WithConn(ctx, &exchange.Conn{Peer: p}, nil))
		r.Header.Set(api.KeyHeader, key)
		w := httptest.NewRecorder()
		d.Guarded(nil).ServeHTTP(w, r)
		var ready api.Readiness
		if err := json.Unmarshal(w.Body.Bytes(), &ready); err != nil || w.Code != 503 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return ready.Routes[0]
	}
	const details = "the provider no longer accepts"
	for _, uid := range []int{0, 1000} {
		if got := ask(peer.Peer{Transport: peer.Loopback, Known: true, UID: uid}, ""); got.Code != string(problem.LoginRequired) || !strings.Contains(got.Reason, details) {
			t.Errorf("user %d: %+v", uid, got)
		}
	}
	strangers := []peer.Peer{{Transport: peer.Loopback, Known: true, UID: 1001}, {Transport: peer.Socket, Known: true, UID: 65534}, {Transport: peer.Loopback}}
	for _, p := range strangers {
		if got := ask(p, ""); got.Code != string(problem.LoginRequired) || got.Reason != "a login is needed" {
			t.Errorf("%+v: %+v", p, got)
		}
	}
	// Where the system does not tell users apart, the key does.
	d.Users.TCP, d.Key = errors.New("not here"), "key"
	if got := ask(peer.Peer{Transport: peer.Loopback}, ""); strings.Contains(got.Reason, details) {
		t.Errorf("without the key: %+v", got)
	}
	if got := ask(peer.Peer{Transport: peer.Loopback}, "key"); !strings.Contains(got.Reason, details) {
		t.Errorf("with the key: %+v", got)
	}
}

func TestWhyARouteIsNotReady(t *testing.T) {
	path := errors.New("open /srv/somebody/alexa.grant.json: no space left")
	for _, c := range []struct {
		err  error
		code problem.Code
	}{
		{&tokens.Error{Action: tokens.ActionLogin, Message: "said /srv/somebody"}, problem.LoginRequired},
		{&tokens.Error{Action: tokens.ActionRetry, Message: "said /srv/somebody", Err: path}, problem.TokenRefreshFailed},
		{&tokens.Error{Action: tokens.ActionConfig, Message: "said /srv/somebody", Hint: path.Error()}, problem.TokenRefreshFailed},
		{context.DeadlineExceeded, problem.TokenRefreshFailed},
	} {
		if why := noToken(c.err); why.code != c.code || why.public == "" || strings.Contains(why.public, "somebody") || why.err != c.err {
			t.Errorf("%v: %+v", c.err, why)
		}
	}
}

// A route that was not probed yet is not down: an alert must not fire at each start.
func TestProbesAreTold(t *testing.T) {
	d := start(t, setup{})
	if all := d.scrape(); all["avsproxy_probe_up"] != nil || all["avsproxy_upstream_connections"] == nil {
		t.Errorf("before the first probe: %v", all["avsproxy_probe_up"])
	}
	d.Metrics.Probed("avs", false, time.Second)
	all := d.scrape()
	if got := gaugeOf(all, "avsproxy_probe_up"); got != 0 || all["avsproxy_probe_up"] == nil || gaugeOf(all, "avsproxy_probe_seconds") != 1 {
		t.Errorf("after a probe that failed: %v", all["avsproxy_probe_up"])
	}
}
