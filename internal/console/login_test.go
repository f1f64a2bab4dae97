package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

func TestLoginEndToEnd(t *testing.T) {
	for name, https := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			d := start(t, setup{https: https})
			page := d.ask("GET", "/login")
			want(t, page, 200, `<form method="post" action="/login">`, "localhost:", d.client.RedirectURL, "Allowed Return URLs")
			if strings.Contains(page.text, "AA:<wbr>BB") != https {
				t.Error("the fingerprint is for callbacks over https")
			}
			authorize := d.begin()
			if !strings.HasPrefix(authorize.String(), d.client.AuthURL) || authorize.Query().Get("code_challenge_method") != "S256" {
				t.Errorf("sent to %s", authorize)
			}
			callback := d.ask("GET", d.consent(authorize), "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
			want(t, callback, http.StatusSeeOther)
			location := callback.Header.Get("Location")
			if !strings.HasPrefix(location, "/login/") || strings.ContainsAny(location, "?=") {
				t.Errorf("the callback leads to %q", location)
			}
			want(t, d.ask("GET", location), 200, "Logged in to <code>alexa</code>", "kept and renewed by itself", "curl -i http://localhost:9744/ping")
			want(t, d.ask("GET", location), 200, "Logged in to")
			if _, err := d.source.Token(context.Background()); err != nil {
				t.Error(err)
			}
			want(t, d.ask("GET", "/status"), 200, `<span class="good">ready</span>`, "Log in again", "upstream.example")
		})
	}
}

func TestLoginByFollowingRedirects(t *testing.T) {
	d := start(t, setup{})
	want(t, d.login(), 200, "Logged in to")
}

func TestLoginGoesOnWhateverElseArrives(t *testing.T) {
	d := start(t, setup{})
	authorize := d.begin()
	state := authorize.Query().Get("state")
	for path, status := range map[string]int{
		"/authresponse":                             400, // a reload of a bare address
		"/authresponse?code=x":                      400,
		"/authresponse?error=access_denied":         400,
		"/authresponse?state=&error=access_denied":  400,
		"/authresponse?state=guess&code=x":          400,
		"/authresponse?state=guess&error=x":         400,
		"/authresponse?State=" + state + "&error=x": 400,
		"/favicon.ico":                              404,
		"/authresponse/favicon.ico":                 404,
		"/robots.txt":                               404,
	} {
		want(t, d.ask("GET", path), status)
	}
	want(t, d.ask("HEAD", "/authresponse?state="+state+"&error=x"), 400)
	want(t, d.ask("POST", "/authresponse?state="+state+"&error=x"), 405)
	want(t, d.ask("GET", d.consent(authorize)), http.StatusSeeOther)
	if _, err := d.source.Token(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestCallbackIsTakenOnce(t *testing.T) {
	d := start(t, setup{})
	callback := d.consent(d.begin())
	first := d.ask("GET", callback)
	want(t, first, http.StatusSeeOther)
	second := d.ask("GET", callback)
	want(t, second, http.StatusSeeOther)
	if a, b := first.Header.Get("Location"), second.Header.Get("Location"); a != b {
		t.Errorf("a reload leads to %s, not %s", b, a)
	}
	if calls := d.amazon.TokenCalls(); len(calls) != 1 {
		t.Errorf("%d token calls: %v", len(calls), calls)
	}
}

func TestProvidersRefusalIsShownEscaped(t *testing.T) {
	d := start(t, setup{})
	authorize := d.begin()
	query := url.Values{
		"state": {authorize.Query().Get("state")},
		"error": {"access_denied"}, "error_description": {"<script>alert('x')</script>\r\nX-Evil: 1"},
	}
	callback := d.ask("GET", "/authresponse?"+query.Encode())
	want(t, callback, http.StatusSeeOther)
	page := d.ask("GET", callback.Header.Get("Location"))
	want(t, page, http.StatusBadGateway, "The login was cancelled", "&lt;script&gt;", "Start the login again.", `href="`+d.url+`/login?credential=alexa">Try again`)
	if strings.Contains(page.text, "<script") || page.Header.Get("X-Evil") != "" {
		t.Errorf("the provider's text is not escaped:\n%s", page.text)
	}
}

func TestErrorCodeIsShownEscaped(t *testing.T) {
	d := start(t, setup{})
	query := url.Values{"state": {d.begin().Query().Get("state")}, "error": {`<img src=x onerror="1">`}}
	page := d.ask("GET", d.ask("GET", "/authresponse?"+query.Encode()).Header.Get("Location"))
	want(t, page, http.StatusBadGateway, "failed")
	if strings.Contains(page.text, "<img") {
		t.Errorf("the code is not escaped:\n%s", page.text)
	}
}

func TestSpentCodeFailsWithAHint(t *testing.T) {
	d := start(t, setup{})
	authorize := d.begin()
	query := url.Values{"state": {authorize.Query().Get("state")}, "code": {"no-such-code"}}
	page := d.ask("GET", d.ask("GET", "/authresponse?"+query.Encode()).Header.Get("Location"))
	want(t, page, http.StatusBadGateway, "failed", "Try again")
	if strings.Contains(page.text, "no-such-code") {
		t.Error("the page shows the code")
	}
}

func TestOutcomeBeforeTheEnd(t *testing.T) {
	d := start(t, setup{})
	login, _ := d.Begin(t.Context(), d.Credentials[0], false)
	want(t, d.ask("GET", "/login/"+login.ID), 200, "The login is waiting")
	want(t, d.ask("GET", "/login/nobody"), 404, "This login is over")
}

func TestRedirectURIMayHaveThePathOfAPage(t *testing.T) {
	for _, path := range []string{"/", "/login", "/a{b}", "/auth/", "/readyz"} {
		t.Run(path, func(t *testing.T) {
			d := start(t, setup{path: path})
			want(t, d.ask("GET", "/status"), 200)
			want(t, d.ask("GET", "/login"), 200, "<form")
			want(t, d.login(), 200, "Logged in to")
		})
	}
}

// A callback's own port is closed soon after, so the page must not lead back to it.
func TestLinksLeadToTheConsole(t *testing.T) {
	d := start(t, setup{})
	d.Self = "http://127.0.0.1:1"
	want(t, d.login(), 200, `<a href="http://127.0.0.1:1/">See the traffic in the inspector</a>`, `<a href="http://127.0.0.1:1/status">Status</a>`)
	d.Self, d.Try = "", ""
	page := d.login()
	want(t, page, 200, "avsproxy serve")
	if strings.Contains(page.text, "<a ") {
		t.Errorf("a link without a console to lead to:\n%s", page.text)
	}
}

func TestBeginNeedsACredential(t *testing.T) {
	d := start(t, setup{})
	d.Credentials = append(d.Credentials, Credential{Source: &tokens.Source{Name: "fixed", Store: &tokens.MemoryStore{}}})
	want(t, d.send("POST", d.url+"/login", "credential=nobody", formType), 404)
	want(t, d.send("POST", d.url+"/login", "credential=fixed", formType), 404)
	want(t, d.send("POST", d.url+"/login", "credential="+strings.Repeat("x", 5000), formType), 400)
	want(t, d.ask("GET", "/login?credential=nobody"), 404)
	want(t, d.ask("GET", "/login?credential=fixed"), 200, "needs no login", "Other credentials")
	want(t, d.send("POST", d.url+"/login", "", formType), http.StatusSeeOther)
	d.Begin = func(context.Context, Credential, bool) (*tokens.Login, error) {
		return nil, &tokens.Error{Message: "port <9> is taken", Hint: "see redirect_url"}
	}
	want(t, d.send("POST", d.url+"/login", "", formType), 500, "Port &lt;9&gt; is taken.", "See redirect_url.")
}

// noRoom is a store on a full disk.
type noRoom struct{ tokens.MemoryStore }

func (*noRoom) Save(string, tokens.Grant) error { return errors.New("no space left on device") }

func TestLoginThatCannotBeSavedSaysSo(t *testing.T) {
	d := start(t, setup{store: &noRoom{}})
	want(t, d.login(), 200, "Logged in to", "could not be saved: no space left on device.")
	want(t, d.ask("GET", "/readyz"), 503, "no space left")
	want(t, d.ask("GET", "/api/status"), 200, `"ready"`, "could not be saved")
	want(t, d.ask("GET", "/status"), 200, "could not be saved")
	if why := d.whyUnready(context.Background(), d.Routes[0]); why == nil || why.code != "" || why.public == "" || strings.Contains(why.public, "no space") {
		t.Errorf("to others the console says %+v", why)
	}
}

func decode[T any](t *testing.T, a answer) (value T) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.text), &value); err != nil {
		t.Errorf("%v: %s", err, a.text)
	}
	return value
}

func TestLoginByAPI(t *testing.T) {
	d := start(t, setup{https: true})
	a := d.ask("POST", "/api/logins?credential=alexa")
	want(t, a, http.StatusCreated)
	begun := decode[api.LoginBegun](t, a)
	if begun.Credential != "alexa" || begun.RedirectURL != d.client.RedirectURL || begun.Fingerprint != "AA:BB" {
		t.Errorf("begun %+v", begun)
	}
	ended := make(chan answer)
	go func() {
		req, _ := http.NewRequest("GET", d.url+"/api/logins/"+begun.ID, nil)
		resp, err := d.browser.Do(req)
		if err != nil {
			t.Error(err)
			ended <- answer{Response: &http.Response{Request: req}}
			return
		}
		ended <- d.read(resp)
	}()
	select {
	case a := <-ended:
		t.Fatalf("it did not wait: %s", a.text)
	case <-time.After(50 * time.Millisecond):
	}
	resp := testkit.Must(d.browser.Get(begun.AuthorizeURL))(t)
	want(t, d.read(resp), 200, "Logged in")
	a = <-ended
	want(t, a, 200)
	if end := decode[api.LoginEnded](t, a); !end.Over || !end.Lasting || end.Problem != nil {
		t.Errorf("ended %+v", end)
	}
}

func TestFailedLoginByAPI(t *testing.T) {
	d := start(t, setup{})
	begun := decode[api.LoginBegun](t, d.ask("POST", "/api/logins"))
	authorize := testkit.Must(url.Parse(begun.AuthorizeURL))(t)
	d.ask("GET", "/authresponse?error=access_denied&state="+authorize.Query().Get("state"))
	end := decode[api.LoginEnded](t, d.ask("GET", "/api/logins/"+begun.ID))
	if !end.Over || end.Lasting || end.Problem == nil || end.Problem.Code != "access_denied" || end.Problem.Hint == "" {
		t.Errorf("ended %+v", end)
	}
}

func TestAPIRequestsForUnknownThingsGet404(t *testing.T) {
	d := start(t, setup{})
	d.Credentials = append(d.Credentials, Credential{Source: &tokens.Source{Name: "fixed", Store: &tokens.MemoryStore{}}})
	for _, c := range []struct{ method, path string }{
		{"POST", "/api/logins?credential=nobody"}, {"POST", "/api/logins?credential=fixed"},
		{"GET", "/api/logins/nobody"}, {"DELETE", "/api/login?credential=nobody"}, {"GET", "/api/nothing"},
	} {
		a := d.ask(c.method, c.path)
		want(t, a, 404)
		if trouble := decode[api.Error](t, a); trouble.Message == "" || trouble.Hint == "" {
			t.Errorf("%s %s: %+v", c.method, c.path, trouble)
		}
	}
}

func TestLogout(t *testing.T) {
	d := start(t, setup{})
	d.login()
	a := d.ask("DELETE", "/api/login?credential=alexa")
	want(t, a, 200)
	if !decode[api.LogoutDone](t, a).WasLoggedIn {
		t.Error("it says that there was no login")
	}
	want(t, d.ask("GET", "/readyz"), 503)
	a = d.ask("DELETE", "/api/login")
	want(t, a, 200)
	if decode[api.LogoutDone](t, a).WasLoggedIn {
		t.Error("it says that there was a login")
	}
}
