package tokens

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

// discoverable is a provider that answers on its well-known paths as told.
func discoverable(t *testing.T, path string, answer func(w http.ResponseWriter, issuer string)) (issuer string, client *Client, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	mux := http.NewServeMux()
	server := testkit.TLSServer(t, mux, testkit.HTTP1)
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		answer(w, issuer)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", jsonType)
		fmt.Fprint(w, `{"access_token":"access-1","token_type":"Bearer","expires_in":60}`)
	})
	issuer = server.URL
	return issuer, &Client{ID: "client", Issuer: issuer, RedirectURL: redirectURL, HTTP: server.Client()}, asked
}

func document(w http.ResponseWriter, issuer string) {
	fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"%[2]s/authorize","token_endpoint":"%[2]s/token","extra":[1]}`,
		issuer, strings.TrimSuffix(issuer, "/tenant"))
}

func TestDiscoveryFindsEndpointsOnceForAll(t *testing.T) {
	issuer, client, asked := discoverable(t, "/.well-known/openid-configuration", func(w http.ResponseWriter, issuer string) {
		time.Sleep(20 * time.Millisecond)
		document(w, issuer)
	})
	grant := Grant{ClientID: "client", Issuer: issuer, Refresh: "refresh-0"}
	if !client.Matches(grant) || asked.Load() != 0 {
		t.Error("the issuer alone names the provider")
	}
	failures := make(chan error, 8)
	for range cap(failures) {
		go func() {
			_, err := client.Refresh(t.Context(), grant)
			failures <- err
		}()
	}
	for range cap(failures) {
		testkit.NoError(t, <-failures)
	}
	var logins Logins
	login := begin(t, &logins, &Source{Name: "a"}, client)
	if !strings.HasPrefix(login.URL, issuer+"/authorize?") || asked.Load() != 1 {
		t.Errorf("%s after %d lookups", login.URL, asked.Load())
	}
	testkit.NoError(t, client.Revoke(t.Context(), grant)) // it has no endpoint for that
	if _, err := logins.BeginDevice(t.Context(), &Source{Name: "a"}, client); err == nil || asError(err).Action != ActionConfig {
		t.Error(err)
	}
}

func TestDiscoveryByRFC8414PutsThePathLast(t *testing.T) {
	issuer, client, _ := discoverable(t, "/.well-known/oauth-authorization-server/tenant", func(w http.ResponseWriter, issuer string) {
		document(w, issuer+"/tenant")
	})
	client.Issuer = issuer + "/tenant"
	grant, err := client.ClientCredentials(t.Context(), Grant{})
	if err != nil || grant.Issuer != client.Issuer || grant.Access != "access-1" {
		t.Error(grant, err)
	}
}

func TestDiscoveryRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, issuer string)
		action Action
		say    string
	}{
		"another issuer": {func(w http.ResponseWriter, issuer string) { document(w, issuer+"/") }, ActionConfig, "another issuer's: https://127.0.0.1"},
		"all tenants":    {func(w http.ResponseWriter, issuer string) { document(w, issuer+"/{tenantid}/v2.0") }, ActionConfig, "/{tenantid}/v2.0"},
		"nobody's":       {func(w http.ResponseWriter, issuer string) { fmt.Fprint(w, `{"token_endpoint":"https://x.example"}`) }, ActionConfig, "names no issuer"},
		"clear endpoint": {func(w http.ResponseWriter, issuer string) {
			fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":"http://c4n4ry.example/"}`, issuer)
		}, ActionConfig, "not https"},
		"missing endpoint": {func(w http.ResponseWriter, issuer string) { fmt.Fprintf(w, `{"issuer":%q}`, issuer) }, ActionConfig, "token_url"},
		"nothing there":    {func(w http.ResponseWriter, _ string) { w.WriteHeader(404) }, ActionConfig, "no discovery document"},
		"redirect":         {func(w http.ResponseWriter, _ string) { w.Header().Set("Location", "/token"); w.WriteHeader(302) }, ActionConfig, "no discovery document"},
		"portal":           {func(w http.ResponseWriter, _ string) { fmt.Fprint(w, "<h1>c4n4ry") }, ActionRetry, "captive portal"},
		"endless": {func(w http.ResponseWriter, _ string) {
			fmt.Fprint(w, `{"x":"`, strings.Repeat("c4n4ry", maxResponse/6), `"}`)
		}, ActionRetry, "captive portal"},
		"down": {func(w http.ResponseWriter, _ string) { w.Header().Set("Retry-After", "7"); w.WriteHeader(503) }, ActionRetry, "answered 503"},
		"cut":  {func(w http.ResponseWriter, _ string) { speak(w, canary) }, ActionRetry, "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := c.answer
			_, client, _ := discoverable(t, "/.well-known/openid-configuration", func(w http.ResponseWriter, issuer string) { answer(w, issuer) })
			_, err := client.Refresh(t.Context(), stored(0))
			var e *Error
			if !errors.As(err, &e) || e.Action != c.action || e.Hint == "" || !strings.Contains(e.Error(), c.say) {
				t.Fatalf("%#v", err)
			}
			checkSilent(t, e)
			answer = document // a failure is not remembered
			if _, err := client.Refresh(t.Context(), stored(0)); err != nil && name != "missing endpoint" {
				t.Error(err)
			}
		})
	}
}

func TestIssuerMustBeSafe(t *testing.T) {
	for issuer, safe := range map[string]bool{
		"http://provider.example": false, "https://provider.example?x=1": false, "provider": false, "https://u:p@provider.example": false,
		"ftp://localhost": false, "http://localhost.example": false, "https://%zz": false,
		"http://localhost:1": true, "http://127.0.0.1:1": true, "http://[::1]:1": true,
	} {
		_, err := (&Client{Issuer: issuer}).Refresh(t.Context(), stored(0))
		if e := asError(err); (e.Action == ActionRetry) != safe {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

// What is spelled out works while the discovery is down.
func TestDiscoveryIsNotAskedForWhatIsKnown(t *testing.T) {
	p := newProvider()
	client := p.client()
	client.Issuer = "https://127.0.0.1:1"
	testkit.Must(client.Refresh(t.Context(), stored(0)))(t)
	client.DeviceURL, client.HTTP = "", nil
	if _, err := client.deviceCode(t.Context()); err == nil || p.calls() != 1 {
		t.Error(err)
	}
}

func TestCallbackFromAnotherIssuerIsRefused(t *testing.T) {
	const ours = "https://provider.test"
	for name, c := range map[string]struct {
		issuer   string
		promised bool
		iss      []string
		good     bool
	}{
		"none configured":      {"", false, []string{"https://other.test"}, false},
		"none but at the host": {"", false, []string{"https://provider.test/tenant"}, true},
		"none and not said":    {"", false, nil, true},
		"none and in clear":    {"", false, []string{"http://provider.test"}, false},
		"none, a port":         {"", false, []string{"https://provider.test:8443"}, false},
		"none and no URL":      {"", false, []string{"%zz"}, false},
		"none, twice":          {"", false, []string{"https://provider.test", "https://provider.test"}, false},
		"ours":                 {ours, true, []string{ours}, true},
		"not said":             {ours, false, nil, true},
		"not said as promised": {ours, true, nil, false},
		"empty":                {ours, false, []string{""}, false},
		"another":              {ours, false, []string{"https://other.test"}, false},
		"nearly":               {ours, false, []string{ours + "/"}, false},
		"twice":                {ours, false, []string{ours, "https://other.test"}, false},
	} {
		p, logins := newProvider(), Logins{}
		client := p.client()
		client.Issuer = c.issuer
		client.discovery.found.Store(&metadata{SaysIssuer: c.promised})
		login := begin(t, &logins, &Source{Store: &MemoryStore{}}, client)
		_, err := logins.Callback(t.Context(), calledBack(url.Values{"state": {login.state}, "code": {"ANx"}, "iss": c.iss}))
		if (err == nil) != c.good || (p.calls() == 1) != c.good {
			t.Errorf("%s: %v, %d calls", name, err, p.calls())
		}
		if err != nil && (!LoginNeeded(err) || strings.Contains(err.Error(), "other.test")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
