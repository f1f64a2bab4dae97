package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

func TestPromise6_TwoHundredCallersAtExpiryMakeOneTokenCall(t *testing.T) {
	over(t, func(t *testing.T, client *http.Client) {
		l, s := toSandbox(t, sandbox.Options{TokenDelay: 200 * time.Millisecond, MaxConcurrentStreams: 250}, plan{})
		grant := testkit.Must(l.source.Store.Load(l.source.Name))(t)
		grant.Expiry = time.Now().Add(-time.Minute)
		testkit.NoError(t, l.source.SetGrant(t.Context(), grant))
		before := len(s.TokenCalls())
		var callers sync.WaitGroup
		for i := range 200 {
			callers.Go(func() {
				ctx, hangUp := context.WithCancel(t.Context())
				defer hangUp()
				if i%4 == 3 { // these leave while they wait; nobody else may suffer
					time.AfterFunc(50*time.Millisecond, hangUp)
				}
				resp, err := client.Do(request(t, "GET", l.url+"/ping", nil).WithContext(ctx))
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				defer resp.Body.Close()
				if resp.StatusCode != http.StatusNoContent {
					t.Error(resp.Status)
				}
			})
		}
		callers.Wait()
		if n := len(s.TokenCalls()) - before; n != 1 {
			t.Errorf("%d token calls", n)
		}
	})
}

func TestC13_C14_ForgedCredentialsArriveAsOurs(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		l, s := toSandbox(t, sandbox.Options{HTTP1: http1}, plan{})
		for _, forged := range []string{
			"Authorization: Bearer forged",
			"Authorization: Bearer forged\r\nConnection: Authorization",
			"Authorization: Bearer forged\r\nAuthorization: Basic Zm9yZ2VkOg==",
			"aUTHORIZATION: Bearer forged\r\nConnection: close, authorization",
			"Authorization_: x\r\nAUTHORIZATION: Bearer forged",
			"Proxy-Authorization: Bearer forged\r\nProxy_Authorization: Bearer forged",
		} {
			conn := testkit.Dial(t, l.addr)
			fmt.Fprintf(conn, "GET /ping HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n", forged)
			io.ReadFull(conn, make([]byte, 12))
			arrivals := s.Ledger()
			arrival := arrivals[len(arrivals)-1]
			if values := arrival.Header["Authorization"]; len(values) != 1 || !strings.HasPrefix(values[0], "Bearer Atza|") {
				t.Errorf("%q arrived as %q", forged, values)
			}
			for name, values := range arrival.Header {
				if name != "Authorization" && new(Credential).isCredential(name) || strings.HasPrefix(name, "Proxy") {
					t.Errorf("%s: %q arrived", name, values)
				}
			}
		}
	}
}

func TestC14_EveryFormOfACredentialIsDropped(t *testing.T) {
	for _, header := range []string{"Authorization", "X-Amz-Access-Token"} {
		var sent *http.Request
		inject := routeTo(
			fakeSender{&url.URL{Scheme: "https", Host: "api.example.com"}, func(r *http.Request) (*http.Response, error) { sent = r; return nil, errors.New("sent") }},
			Credential{Source: static(), Header: header, Format: "{token}"},
		)
		r := request(t, "GET", "https://api.example.com/", nil)
		r.Header = http.Header{
			"Authorization": {"1", "2"}, "authorization": {"3"}, "AUTHORIZATION": {"4"}, "Accept": {"*/*"},
			"X_Amz-Access_Token": {"5"}, "x-amz-access-token": {"6"},
		}
		inject.RoundTrip(r)
		if len(r.Header) != 6 {
			t.Error("the request was changed") // a RoundTripper must not
		}
		if got := sent.Header[header]; len(got) != 1 || got[0] != canary {
			t.Errorf("%s: %q", header, got)
		}
		for name := range sent.Header {
			if name != header && inject.Credential.isCredential(name) {
				t.Errorf("%s stayed", name)
			}
		}
	}
}

func TestC09_C10_NoTokenForAnotherOrigin(t *testing.T) {
	for _, c := range []struct{ origin, url, host string }{
		{"https://api.example.com", "https://evil.example.com/", ""},
		{"https://api.example.com", "https://api.example.com/", "evil.example.com"},
		{"https://api.example.com", "http://api.example.com/", ""},
		{"https://api.example.com", "https://api.example.com:8443/", ""},
		{"https://api.example.com", "https://api.example.com.evil.org/", ""},
		{"https://api.example.com", "https://API.example.com/", ""}, // nothing here makes such a one
		{"http://api.example.com", "http://api.example.com/", ""},
	} {
		for _, source := range []*tokens.Source{static(), nil} {
			origin, _ := url.Parse(c.origin)
			body := &closing{Reader: strings.NewReader("x")}
			inject := routeTo(fakeSender{origin, func(*http.Request) (*http.Response, error) {
				t.Errorf("%v was sent", c)
				return nil, errors.New("sent")
			}}, Credential{Source: source})
			r := request(t, "POST", c.url, body)
			r.Host = c.host
			if _, err := inject.RoundTrip(r); !errors.Is(err, ErrWrongOrigin) || !body.closed {
				t.Errorf("%v: %v, closed %v", c, err, body.closed)
			}
		}
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

// Whatever a client writes into the request line and Host, the token goes to the
// upstream or nowhere.
func TestC09_NoFormOfARequestReachesAnotherHost(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{})
	for head, served := range map[string]bool{
		"GET http://localhost/ping HTTP/1.1\r\nHost: evil.example.com":            true, // RFC 9112 section 3.2.2: the target counts
		"GET http://evil.example.com/ping HTTP/1.1\r\nHost: localhost":            false,
		"GET https://evil.example.com:443/ping HTTP/1.1\r\nHost: localhost":       false,
		"GET http://alexa.example.com/ping HTTP/1.1\r\nHost: localhost":           true,
		"GET /ping HTTP/1.1\r\nHost: evil.example.com":                            false,
		"GET /ping HTTP/1.1\r\nHost: localhost.evil.com":                          false,
		"GET http://user@localhost@evil.example.com/ HTTP/1.1\r\nHost: localhost": false,
		"GET //evil.example.com/ping HTTP/1.1\r\nHost: localhost":                 true, // a path
		"GET /ping HTTP/1.0": false,
	} {
		before := len(s.Ledger())
		conn := testkit.Dial(t, l.addr)
		fmt.Fprintf(conn, "%s\r\nConnection: close\r\n\r\n", head)
		answer, _ := io.ReadAll(conn)
		arrivals := s.Ledger()
		if arrived := len(arrivals) > before; arrived != served {
			t.Errorf("%q: arrived %v: %.60q", head, arrived, answer)
		}
		if want := strings.TrimPrefix(s.AVS(), "https://"); served && arrivals[before].Authority != want {
			t.Errorf("%q went to %s", head, arrivals[before].Authority)
		}
	}
}

func TestClientAuth(t *testing.T) {
	for auth, want := range map[ClientAuth]string{"": "injected", ReplaceClientAuth: "injected", KeepClientAuth: "kept", RejectClientAuth: "refused"} {
		l, s := toSandbox(t, sandbox.Options{}, plan{credential: Credential{ClientAuth: auth}})
		r := request(t, "GET", l.url+"/ping", nil)
		r.Header.Set("Authorization", "Bearer own")
		a := do(t, h1Client(t), r)
		if got := l.ended(t, 1).Decision; string(got) != want {
			t.Errorf("%q: %s", auth, got)
		}
		switch auth {
		case RejectClientAuth:
			problemOf(t, a, problem.NotAllowed)
			if len(s.Ledger()) > 0 {
				t.Error("it was sent")
			}
		case KeepClientAuth:
			if got := s.Ledger()[0].Token; got != "own" {
				t.Errorf("%q arrived", got)
			}
		}
		// Without one of their own, clients get ours whatever the rule.
		if a := get(t, h1Client(t), l.url+"/ping"); a.StatusCode != http.StatusNoContent {
			t.Errorf("%q: %s", auth, a.Status)
		}
	}
}

func TestPromise2_BeforeLoginNothingIsForwarded(t *testing.T) {
	s := start(t, sandbox.Options{})
	l := build(t, s.AVS(), s.Pool(), plan{source: loggedOut()})
	over(t, func(t *testing.T, client *http.Client) {
		r := request(t, "POST", l.url+"/v20160207/events", strings.NewReader("body"))
		r.Header.Set("Authorization", "Bearer own")
		p := problemOf(t, do(t, client, r), problem.LoginRequired)
		if p.LoginURL != loginURL {
			t.Errorf("login_url %q", p.LoginURL)
		}
	})
	if e := l.ended(t, 1); e.Decision != exchange.LoginMissing || e.Fault == nil || e.Status != 503 {
		t.Errorf("%+v", e)
	}
	if open, total := s.Connections(); len(s.Ledger()) != 0 || open+total != 0 {
		t.Error("the upstream was spoken to")
	}
}

func TestRefreshFailuresSayWhenToTryAgain(t *testing.T) {
	ended := starting(tokens.Grant{Kind: "refresh_token", Refresh: "Atzr|x", Access: canary, Expiry: time.Now().Add(-time.Hour)})
	for _, wait := range []time.Duration{0, 90 * time.Second} {
		source := &tokens.Source{Name: "x", Kind: "refresh_token", Store: &tokens.MemoryStore{}, Seed: ended}
		source.Renew = func(context.Context, tokens.Grant) (tokens.Grant, error) {
			return tokens.Grant{}, &tokens.Error{Action: tokens.ActionWait, Message: "the provider is down", Hint: "wait", RetryAfter: wait}
		}
		origin, roots := upstreamTLS(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was forwarded") }))
		l := build(t, origin, roots, plan{source: source})
		for range 2 { // the second caller shares the first one's failure
			a := get(t, h1Client(t), l.url+"/ping")
			problemOf(t, a, problem.TokenRefreshFailed)
			if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 90 {
				t.Errorf("Retry-After: %q", a.Header.Get("Retry-After"))
			}
		}
		if e := l.ended(t, 1); e.Decision != exchange.RefreshFailed {
			t.Errorf("%+v", e)
		}
	}
}

func TestRevokedLoginNeedsALogin(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{})
	s.ExpireTokens()
	s.RevokeGrants()
	if a := get(t, h1Client(t), l.url+"/ping"); a.StatusCode != http.StatusForbidden || a.Header.Get(problem.Header) != "" {
		t.Errorf("the upstream's own answer must pass: %s", a.Status)
	}
	problemOf(t, get(t, h1Client(t), l.url+"/ping"), problem.LoginRequired)
}

func TestOnlyStatusesOfTheRouteReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		renewals := 0
		source := static()
		source.Seed = starting(tokens.Grant{Kind: "static", Access: canary, Refresh: "Atzr|x"})
		source.Renew = func(_ context.Context, old tokens.Grant) (tokens.Grant, error) {
			renewals++
			old.Access, old.Renewed = canary+"2", time.Now()
			return old, nil
		}
		status := 0
		inject := routeTo(fakeSender{&url.URL{Scheme: "https", Host: "h"}, func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: http.NoBody, Request: r}, nil
		}}, Credential{Source: source, HealOn: []int{401}})
		for _, status = range []int{200, 403, 500, 401, 200, 401, 200} { // the last 401 is within the cool-down
			testkit.Must(inject.RoundTrip(request(t, "GET", "https://h/", nil)))(t)
		}
		if renewals > 1 {
			t.Errorf("%d renewals", renewals)
		}
	})
}

func TestTheUpstreamsOwnErrorHeaderIsDropped(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(problem.Header, "login_required")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	l := build(t, origin, roots, plan{source: static()})
	if a := get(t, h1Client(t), l.url); a.StatusCode != 503 || a.Header[problem.Header] != nil {
		t.Fatalf("%s %v", a.Status, a.Header)
	}
}

func TestPromise2_NoTokenInLogsOrExchanges(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, out, _ := http.NewResponseController(w).Hijack()
		fmt.Fprintf(out, "nonsense with %s\r\n\r\n", r.Header.Get("Authorization"))
		out.Flush()
		conn.Close()
	}), testkit.HTTP1)
	l := build(t, origin, roots, plan{source: static()})
	a := get(t, h1Client(t), l.url+"/?access_token="+url.QueryEscape(canary))
	problemOf(t, a, problem.UpstreamUnreachable)
	e := l.ended(t, 1)
	if all := fmt.Sprintf("%+v %s %s %s", e, e.Fault, l.logged(), a.body); testkit.HasCanary(all) {
		t.Errorf("told: %s", all)
	}
}
