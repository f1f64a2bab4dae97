package proxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

// standingIn is a line whose route stands in for the token endpoint.
func standingIn(p plan) plan {
	p.credential.Placeholder = NewPlaceholderToken()
	p.policy.AnswersTokens, p.policy.TokenURL = true, "https://login.example.com/v1/own-token"
	return p
}

type granted struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
}

func tokenAnswer(t *testing.T, a answer) granted {
	t.Helper()
	var got granted
	if err := json.Unmarshal(a.body, &got); err != nil || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s %v %q", a.Status, a.Header, a.body)
	}
	return got
}

// unsized hides a reader's length, so that it is sent in chunks.
type unsized struct{ io.Reader }

func TestTokenEndpointAnswersTokenRequests(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, standingIn(plan{}))
	form, text := "grant_type=refresh_token&refresh_token=Atzr%7Cmine&client_secret=c4n4ry-secret", `{"grant_type":"authorization_code","code":"x","client_secret":"c4n4ry-secret"}`
	shape := regexp.MustCompile(`^Atz[ar]\|local[A-Za-z0-9_-]{32}$`)
	before := len(s.TokenCalls())
	over(t, func(t *testing.T, client *http.Client) {
		for _, path := range []string{"/auth/o2/token", "/auth/O2/token", "/oauth2/token", "/OAuth/Token", "/token", "/v1/own-token", "/token?x=1"} {
			for _, body := range []io.Reader{strings.NewReader(form), strings.NewReader(text), unsized{strings.NewReader(form)}, unsized{strings.NewReader(" \n" + text)}} {
				r := request(t, "POST", l.url+path, body)
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.SetBasicAuth("me", "c4n4ry-secret")
				a := do(t, client, r)
				got := tokenAnswer(t, a)
				want := granted{AccessToken: l.route.Credential.Placeholder.Access, TokenType: "bearer", ExpiresIn: 3600, RefreshToken: l.route.Credential.Placeholder.Refresh}
				if a.StatusCode != http.StatusOK || got != want || !shape.MatchString(got.AccessToken) || !shape.MatchString(got.RefreshToken) {
					t.Fatalf("%s: %s %s", path, a.Status, a.body)
				}
			}
		}
	})
	if e := l.ended(t, 1); e.Decision != exchange.StoodIn || e.Status != http.StatusOK || e.Fault != nil {
		t.Errorf("%+v", e)
	}
	if len(s.Ledger()) != 0 || len(s.TokenCalls()) != before {
		t.Error("a token request was passed on")
	}
	if told := fmt.Sprintf("%+v %s", l.exchanges, l.logged()); testkit.HasCanary(told) {
		t.Errorf("told: %s", told)
	}
}

func TestTokenEndpointRefusesOtherRequests(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, standingIn(plan{}))
	over(t, func(t *testing.T, client *http.Client) {
		for _, body := range []string{
			"", "grant_type=", "grant_type=%zz", "a=b", "{", "{}", `{"grant_type":7}`, `{"grant_type":""}`, `["grant_type"]`,
			"--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nx\r\n--b--\r\n",
			"grant_type=x&pad=" + strings.Repeat("a", tokenRequestMax),
		} {
			a := do(t, client, request(t, "POST", l.url+"/token", strings.NewReader(body)))
			if got := tokenAnswer(t, a); a.StatusCode != http.StatusBadRequest || got.Error != "invalid_request" || got.AccessToken != "" {
				t.Errorf("%.40q: %s %s", body, a.Status, a.body)
			}
		}
	})
	if len(s.Ledger()) != 0 {
		t.Error("it was passed on")
	}
}

func TestTokenEndpointLeavesOtherPathsAlone(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, standingIn(plan{}))
	for i, request := range []*http.Request{
		request(t, "GET", l.url+"/auth/o2/token", nil), request(t, "POST", l.url+"/tokens", strings.NewReader("grant_type=x")),
		request(t, "POST", l.url+"/token/", strings.NewReader("grant_type=x")), request(t, "POST", l.url+"/%74oken", strings.NewReader("grant_type=x")),
	} {
		if do(t, h1Client(t), request); len(s.Ledger()) != i+1 {
			t.Errorf("%s %s did not arrive", request.Method, request.URL)
		}
	}
	other, s := toSandbox(t, sandbox.Options{}, plan{})
	if do(t, h1Client(t), request(t, "POST", other.url+"/token", strings.NewReader("grant_type=x"))); len(s.Ledger()) != 1 {
		t.Error("a route without the setting stands in")
	}
}

// An OAuth error would make a client drop its login; a 503 makes it try again.
func TestTokenEndpointWithoutATokenSaysWhy(t *testing.T) {
	s := start(t, sandbox.Options{})
	l := build(t, s.AVS(), s.Pool(), standingIn(plan{source: loggedOut()}))
	p := problemOf(t, do(t, h1Client(t), request(t, "POST", l.url+"/token", strings.NewReader("grant_type=refresh_token"))), problem.LoginRequired)
	if p.LoginURL != loginURL {
		t.Errorf("login_url %q", p.LoginURL)
	}
	if e := l.ended(t, 1); e.Decision != exchange.LoginMissing || e.Fault == nil {
		t.Errorf("%+v", e)
	}
}

func TestPlaceholderIsReplacedInEveryField(t *testing.T) {
	dummy := NewPlaceholderToken()
	for _, c := range []struct {
		auth     ClientAuth
		sent     http.Header
		want     http.Header
		decision exchange.Decision
	}{
		{"", http.Header{"Authorization": {"Bearer " + dummy.Access}}, http.Header{"Authorization": {"Bearer " + canary}}, exchange.Injected},
		{"", http.Header{"X-Amz-Access-Token": {dummy.Access}}, http.Header{"Authorization": {"Bearer " + canary}, "X-Amz-Access-Token": {canary}}, exchange.Injected},
		{"", http.Header{"Cookie": {"a=b; t=" + dummy.Access + "; c=d"}}, http.Header{"Authorization": {"Bearer " + canary}, "Cookie": {"a=b; t=" + canary + "; c=d"}}, exchange.Injected},
		{"", http.Header{"X-Refresh": {dummy.Refresh}}, http.Header{"Authorization": {"Bearer " + canary}, "X-Refresh": {dummy.Refresh}}, exchange.Injected},
		{"keep", http.Header{"Authorization": {"bearer " + dummy.Access}}, http.Header{"Authorization": {"Bearer " + canary}}, exchange.Injected},
		{"reject", http.Header{"Authorization": {"Bearer " + dummy.Access}}, http.Header{"Authorization": {"Bearer " + canary}}, exchange.Injected},
		{"keep", http.Header{"Authorization": {"AWS4-HMAC-SHA256 own"}, "X-Amz-Access-Token": {dummy.Access}}, http.Header{"Authorization": {"AWS4-HMAC-SHA256 own"}, "X-Amz-Access-Token": {canary}}, exchange.Injected},
		{"keep", http.Header{"Authorization": {"Bearer own"}}, http.Header{"Authorization": {"Bearer own"}}, exchange.Kept},
		{"reject", http.Header{"Authorization": {"Bearer " + dummy.Access, "Bearer own"}}, nil, exchange.Refused},
		{"reject", http.Header{"Authorization": {"Bearer own"}, "X-Other": {dummy.Access}}, nil, exchange.Refused},
	} {
		var arrived http.Header
		origin, roots := upstreamTLS(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { arrived = r.Header }))
		l := build(t, origin, roots, plan{source: static(), credential: Credential{ClientAuth: c.auth, Placeholder: dummy}})
		r := request(t, "GET", l.url, nil)
		r.Header = c.sent.Clone()
		a := do(t, h1Client(t), r)
		for name, values := range c.want {
			if got := arrived[name]; fmt.Sprint(got) != fmt.Sprint(values) {
				t.Errorf("%q %v: %s arrived as %q", c.auth, c.sent, name, got)
			}
		}
		if c.want == nil && arrived != nil {
			t.Errorf("%q %v was sent", c.auth, c.sent)
		}
		if e := l.ended(t, 1); e.Decision != c.decision || testkit.HasCanary(string(a.body)) {
			t.Errorf("%q %v: %+v", c.auth, c.sent, e)
		}
	}
}

func TestC09_PlaceholderIsNotReplacedForAnotherOrigin(t *testing.T) {
	dummy := NewPlaceholderToken()
	inject := routeTo(fakeSender{&url.URL{Scheme: "https", Host: "api.example.com"}, func(*http.Request) (*http.Response, error) {
		t.Error("it was sent")
		return nil, io.EOF
	}}, Credential{Source: static(), Placeholder: dummy})
	r := request(t, "GET", "https://evil.example.com/", nil)
	r.Header.Set("X-Token", dummy.Access)
	if _, err := inject.RoundTrip(r); err != ErrWrongOrigin || r.Header.Get("X-Token") != dummy.Access {
		t.Errorf("%v, %v", err, r.Header)
	}
}

// Whatever a client puts where, it never gets the token, and a form with a
// grant_type gets the placeholder.
func FuzzStandInBodies(f *testing.F) {
	for _, seed := range []string{"grant_type=x", `{"grant_type":"x"}`, "{", "a=%zz", "\x00", "grant_type=x;y", `{"grant_type":"x"}{}`} {
		f.Add([]byte(seed))
	}
	dummy := NewPlaceholderToken()
	endpoint := &TokenEndpoint{Placeholder: dummy, Source: static()}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		r, _ := http.NewRequest("POST", "http://localhost/token", bytes.NewReader(body))
		testkit.NoError(t, endpoint.Answer(w, r, exchange.New(nil, httpexchange.Head(r))))
		var got granted
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || testkit.HasCanary(w.Body.String()) {
			t.Fatalf("%q: %q", body, w.Body)
		}
		if good := w.Code == http.StatusOK; good != (got.AccessToken == dummy.Access) || good == (got.Error == "invalid_request") {
			t.Fatalf("%q: %d %q", body, w.Code, w.Body)
		}
	})
}

// A client as people wrote them: it holds a secret that nobody checks, asks for a
// token and uses it. The upstream sees the real token, the client never does.
func TestPromise2_LegacyClientNeverHoldsTheToken(t *testing.T) {
	testkit.NeedTool(t, "curl")
	var arrived []string
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived = append(arrived, r.Header.Get("Authorization"), r.Header.Get("X-Amz-Access-Token"))
		io.WriteString(w, "done")
	}))
	l := build(t, origin, roots, standingIn(plan{source: static()}))
	script := `set -eu
answer=$(curl -sS --fail -d grant_type=refresh_token -d refresh_token=old -d client_id=me --data-urlencode client_secret=s+/ "$1/auth/O2/token")
echo "$answer"
token=$(echo "$answer" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -sS --fail -H "Authorization: Bearer $token" -H "x-amz-access-token: $token" "$1/v1/things"`
	cmd := exec.Command("sh", "-c", script, "sh", l.url)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "done") {
		t.Fatalf("%v: %s", err, out)
	}
	if want := []string{"Bearer " + canary, canary}; fmt.Sprint(arrived) != fmt.Sprint(want) {
		t.Errorf("%q arrived", arrived)
	}
	if testkit.HasCanary(string(out)) || !strings.Contains(string(out), l.route.Credential.Placeholder.Access) {
		t.Errorf("the client saw %s", out)
	}
}
