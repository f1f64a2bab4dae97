package tokens

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/testkit"
)

const pairAnswer = `{"device_code":"` + canary + `","user_code":"ABCDEF","verification_uri":"https://provider.test/code","expires_in":600,"interval":7}`

// A devicePlan is a provider whose answers to polls come one after the other;
// the last one repeats.
type devicePlan struct {
	*provider
	times []time.Duration // when they came, since the start
}

func planned(answers ...func(int, url.Values) (*http.Response, error)) *devicePlan {
	plan, start := &devicePlan{provider: newProvider()}, time.Now()
	plan.now(func(call int, form url.Values) (*http.Response, error) {
		switch {
		case !form.Has("grant_type"):
			return reply(200, jsonType, pairAnswer), nil
		case form.Get("grant_type") == "refresh_token":
			return rotating(call, form)
		}
		plan.mu.Lock()
		plan.times = append(plan.times, time.Since(start))
		nth := min(len(plan.times), len(answers)) - 1
		plan.mu.Unlock()
		return answers[nth](call, form)
	})
	return plan
}

func (p *devicePlan) polls() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.times)
}

func saying(status int, code string) func(int, url.Values) (*http.Response, error) {
	return answering(status, jsonType, `{"error":"`+code+`","error_description":"c4n4ry"}`)
}

func beginDevice(t *testing.T, client *Client) (*Login, *Source) {
	t.Helper()
	source := &Source{Name: "alexa", Store: &MemoryStore{}, Renew: client.Refresh, Matches: client.Matches}
	var logins Logins
	login := testkit.Must(logins.BeginDevice(t.Context(), source, client))(t)
	return login, source
}

func TestCodeBasedLinkingNeverShowsASecret(t *testing.T) {
	amazon, client := startAmazon(t, sandbox.Options{})
	client.CodeBasedLinking = true
	login, source := beginDevice(t, client)
	if d := login.Device; len(d.UserCode) != 6 || d.VerificationURL != amazon.LWA()+"/us/code" || d.CompleteURL != "" || d.Interval != 30*time.Second || time.Until(d.Expires) < 590*time.Second {
		t.Errorf("%+v", d)
	}
	testkit.NoError(t, login.Wait(t.Context()))
	grant := load(t, source.Store)
	if grant.Kind != "device_code" || !client.Matches(grant) || !login.HasRefreshToken() {
		t.Errorf("%+v", grant)
	}
	if _, err := source.Fresh(t.Context(), 2*time.Hour); err != nil {
		t.Error("renewed with the secret:", err)
	}
	var grants []string
	for _, call := range amazon.TokenCalls() {
		grants = append(grants, call.Grant)
	}
	if want := []string{"device_code", "refresh_token", "refresh_token"}; !slices.Equal(grants, want) {
		t.Error(grants)
	}
}

func TestRFC8628Login(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := planned(saying(400, "authorization_pending"), saying(428, "authorization_pending"), answering(200, "text/plain", "error=authorization_pending"), rotating)
		login, source := beginDevice(t, p.client())
		testkit.NoError(t, login.Wait(t.Context()))
		if want := []time.Duration{0, 7 * time.Second, 14 * time.Second, 21 * time.Second}; !slices.Equal(p.polls(), want) {
			t.Error(p.polls())
		}
		poll := p.forms[1]
		if poll.Get("grant_type") != deviceGrant || poll.Get("device_code") != canary || poll.Get("client_id") != "client" || poll.Has("user_code") {
			t.Error(poll)
		}
		if asked := p.forms[0]; asked.Get("client_id") != "client" || asked.Get("scope") != "alexa:all" || asked.Has("response_type") || asked.Has("grant_type") {
			t.Error(asked)
		}
		// The first access token is thrown away, and the rotated refresh token kept.
		if grant := load(t, source.Store); p.last().Get("refresh_token") != "refresh-5" || grant.Access != "access-6" || grant.Refresh != "refresh-6" {
			t.Errorf("%v", p.forms)
		}
	})
}

func TestCodeBasedLinkingPollsWithCodesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := planned(saying(400, "slow_down"), saying(400, "slow_down"), saying(400, "slow_down"), saying(400, "slow_down"), rotating)
		client := p.client()
		client.CodeBasedLinking, client.AuthParams = true, map[string]string{"scope_data": "x"}
		login, source := beginDevice(t, client)
		testkit.NoError(t, login.Wait(t.Context()))
		if want := (url.Values{"grant_type": {"device_code"}, "device_code": {canary}, "user_code": {"ABCDEF"}}); p.forms[1].Encode() != want.Encode() {
			t.Error(p.forms[1])
		}
		if asked := p.forms[0]; asked.Get("response_type") != "device_code" || asked.Get("scope_data") != "x" || asked.Has("client_secret") {
			t.Error(asked)
		}
		if p.last().Has("client_secret") {
			t.Error("renewed with the secret")
		}
		client.RevokeURL = "https://provider.test/revoke"
		testkit.NoError(t, client.Revoke(t.Context(), load(t, source.Store)))
		if p.last().Get("token") != "refresh-7" || p.last().Has("client_secret") || p.last().Has("grant_type") {
			t.Error("revoked with the secret, or as a token call:", p.last())
		}
		if want := []time.Duration{0, 14 * time.Second, 42 * time.Second, 98 * time.Second, 158 * time.Second}; !slices.Equal(p.polls(), want) {
			t.Error(p.polls()) // 14 s, 28 s, 56 s, 60 s
		}
	})
}

func TestPollsSlowDownAndOutliveOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := planned(saying(400, "slow_down"), down, answering(503, "text/html", "<h1>"), answering(429, "", "", "Retry-After", "90"), cut,
			saying(500, "access_denied"), saying(400, "servererror"), saying(400, "authorization_pending"), down, rotating)
		login, _ := beginDevice(t, p.client())
		testkit.NoError(t, login.Wait(t.Context()))
		want, at := []time.Duration{0}, time.Duration(0)
		for _, pause := range []int{12, 24, 48, 90, 60, 60, 60, 12, 24} {
			at += time.Duration(pause) * time.Second
			want = append(want, at)
		}
		if !slices.Equal(p.polls(), want) {
			t.Error(p.polls())
		}
	})
}

func TestDeviceLoginIsEndedByTheProvider(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		action Action
		say    string
	}{
		{400, "access_denied", ActionLogin, "refused at the provider's page"},
		{403, "access_denied", ActionLogin, "refused at the provider's page"},
		{400, "authorization_declined", ActionLogin, "refused at the provider's page"},
		{400, "expired_token", ActionLogin, "has expired"},
		{400, "invalid_code_pair", ActionLogin, "has expired"},
		{400, "invalid_grant", ActionLogin, "has expired"},
		{400, "a_new_one", ActionLogin, "ended the login with a_new_one"},
		{400, canary, ActionLogin, "unknown_error"},
		{401, "invalid_client", ActionConfig, "ID or secret"},
		{400, "unauthorized_client", ActionConfig, "this client"},
		{403, "unauthorized_client", ActionConfig, "this client"},
		{400, "invalid_request", ActionConfig, "parameter"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := planned(saying(400, "authorization_pending"), saying(c.status, c.code))
			login, _ := beginDevice(t, p.client())
			e := asError(login.Wait(t.Context()))
			if e.Action != c.action || !strings.Contains(e.Message, c.say) || e.Hint == "" || len(p.polls()) != 2 {
				t.Errorf("%s: %#v", c.code, e)
			}
			checkSilent(t, e)
		})
	}
}

func TestDeviceLoginEndsWithItsCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := planned(saying(400, "authorization_pending"))
		start := time.Now()
		var logins Logins
		login := testkit.Must(logins.BeginDevice(t.Context(), &Source{Name: "alexa"}, p.client()))(t)
		err := login.Wait(t.Context())
		if logins.Find(login.ID) != login {
			t.Error("forgotten before anybody could ask how it ended")
		}
		if !LoginNeeded(err) || !strings.Contains(err.Error(), "expired") || time.Since(start) != 10*time.Minute || len(p.polls()) != 86 {
			t.Errorf("%v after %v and %d polls", err, time.Since(start), len(p.polls()))
		}
	})
}

func TestCancelEndsThePolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := planned(saying(400, "authorization_pending"))
		ctx, cancel := context.WithCancel(t.Context())
		var logins Logins
		login := testkit.Must(logins.BeginDevice(ctx, &Source{Name: "alexa", Store: &MemoryStore{}}, p.client()))(t)
		cancel() // whoever began it may go away
		time.Sleep(time.Minute)
		polls := len(p.polls())
		login.Cancel()
		login.Cancel()
		time.Sleep(time.Minute)
		if over, err := login.Done(); !over || !strings.Contains(err.Error(), "cancelled here") || polls != 9 || len(p.polls()) != polls {
			t.Errorf("%v, %d polls, then %d", err, polls, len(p.polls()))
		}
		if logins.Find(login.ID) != login {
			t.Error("its outcome is forgotten")
		}
		time.Sleep(10 * time.Minute)
		if logins.Find(login.ID) != nil {
			t.Error("it is remembered for ever")
		}
	})
}

func TestDeviceLoginIsProvenByARefresh(t *testing.T) {
	for name, c := range map[string]struct {
		refresh func(int, url.Values) (*http.Response, error)
		cbl     bool
		action  Action // of the login's error; empty = it is good
		say     string
	}{
		"down":                  {down, true, "", ""},
		"503":                   {answering(503, "", ""), false, "", ""},
		"wrong client":          {saying(400, "invalid_request"), true, ActionConfig, "client_id is not enabled for code-based linking"},
		"invalid_request":       {saying(400, "invalid_request"), false, ActionConfig, "parameter"},
		"dead at once":          {saying(400, "invalid_grant"), true, ActionLogin, "a moment ago"},
		"secret":                {saying(401, "invalid_client"), false, ActionConfig, "secret"},
		"403 is passing":        {saying(403, "unauthorized_client"), true, "", ""},
		"same, and no rotation": {answering(200, jsonType, `{"access_token":"access-9"}`), true, "", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := planned(rotating)
			answers := p.answer
			p.now(func(call int, form url.Values) (*http.Response, error) {
				if form.Get("grant_type") == "refresh_token" {
					return c.refresh(call, form)
				}
				return answers(call, form)
			})
			client := p.client()
			client.CodeBasedLinking = c.cbl
			login, source := beginDevice(t, client)
			err := login.Wait(t.Context())
			if c.action == "" {
				if err != nil || load(t, source.Store).Refresh != "refresh-2" {
					t.Errorf("%s: %v", name, err)
				}
				return
			}
			if e := asError(err); e.Action != c.action || !strings.Contains(e.Message, c.say) || login.HasRefreshToken() {
				t.Errorf("%s: %#v", name, err)
			}
		})
	}
}

func TestDeviceLoginWithoutARefreshTokenIsLegal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := planned(answering(200, jsonType, `{"access_token":"access-9","expires_in":60}`))
		login, source := beginDevice(t, p.client())
		if err := login.Wait(t.Context()); err != nil || login.HasRefreshToken() || load(t, source.Store).Access != "access-9" || p.calls() != 2 {
			t.Error(err)
		}
	})
}

func TestDeviceCodeRequestsThatFailSayWhy(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(int, url.Values) (*http.Response, error)
		action Action
		say    string
	}{
		"wrong client id":  {saying(400, "InvalidValue"), ActionConfig, "parameter"},
		"scope":            {saying(400, "invalid_scope"), ActionConfig, "scopes"},
		"client type":      {saying(400, "unauthorized_client"), ActionConfig, "not enabled for code-based linking"},
		"client type, 403": {saying(403, "unauthorized_client"), ActionConfig, "not enabled for code-based linking"},
		"throttled":        {saying(429, "throttling"), ActionWait, "(429"},
		"portal":           {answering(200, "text/html", "<h1>c4n4ry"), ActionRetry, "no usable answer"},
		"no code":          {answering(200, jsonType, `{}`), ActionRetry, "no usable answer"},
		"200 with error":   {saying(200, "device_flow_disabled"), ActionRetry, "device_flow_disabled"},
		"down":             {down, ActionRetry, "could not be used"},
	} {
		p := newProvider()
		p.now(c.answer)
		client := p.client()
		client.CodeBasedLinking = true
		var logins Logins
		_, err := logins.BeginDevice(t.Context(), &Source{Name: "alexa"}, client)
		var e *Error
		if !errors.As(err, &e) || e.Action != c.action || !strings.Contains(e.Error(), c.say) || e.Hint == "" || strings.Contains(e.Hint, "kept") {
			t.Fatalf("%s: %#v", name, err)
		}
		checkSilent(t, e)
	}
}

// The other tests' provider is made up; this one is the sandbox's, out of temper.
func TestCodeBasedLinkingSurvivesTheSandboxsFaults(t *testing.T) {
	for fault, says := range map[string]string{"": "", "authorization_pending x3, slow_down x2, token-503 x2, token-html x1": "", "authorization_pending x3, invalid_code_pair": "expired", "access_denied": "refused"} {
		synctest.Test(t, func(t *testing.T) {
			struck := new(faults.Set)
			testkit.NoError(t, struck.Replace(fault))
			lwa, err := sandbox.NewLWA(t.Context(), sandbox.Options{Faults: struck})
			testkit.NoError(t, err)
			client := &Client{
				ID: sandbox.ClientID, CodeBasedLinking: true, Scopes: []string{"alexa:all"}, AuthParams: map[string]string{"scope_data": AlexaScopeData("p", "1")},
				DeviceURL: "http://localhost/auth/O2/create/codepair", TokenURL: "http://localhost/auth/O2/token", HTTP: &http.Client{Transport: inProcess{lwa}},
			}
			login, _ := beginDevice(t, client)
			if err := login.Wait(t.Context()); says == "" && (err != nil || !login.HasRefreshToken()) || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
				t.Errorf("%s: %v", fault, err)
			}
		})
	}
}

// inProcess answers requests by a handler, so that time can be fake.
type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Result(), nil
}
