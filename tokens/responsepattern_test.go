package tokens

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// deadWords is what known providers answer to a refresh token that is dead.
var deadWords = []struct {
	provider, body string
	status         int
	refused        string
}{
	{"github", `{"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired."}`, 200, "bad_refresh_token"},
	{"fitbit", `{"errors":[{"errorType":"invalid_grant","message":"Refresh token invalid: x"}],"success":false}`, 400, "invalid_grant"},
	{"strava", `{"message":"Bad Request","errors":[{"resource":"RefreshToken","field":"refresh_token","code":"invalid"}]}`, 400, "invalid"},
	{"twitch", `{"status":400,"message":"Invalid refresh token"}`, 400, "refused"},
	{"twitch", `{"error":"Bad Request","status":401,"message":"invalid refresh token"}`, 401, "unknown_error"},
	{"x", `{"error":"invalid_request","error_description":"Value passed for the token was invalid."}`, 400, "invalid_request"},
	{"microsoft", `{"error":"interaction_required","error_codes":[50076]}`, 400, "interaction_required"},
	{"microsoft", `{"error":"consent_required"}`, 400, "consent_required"},
	{"microsoft", `{"error":"login_required"}`, 401, "login_required"},
}

func (p *provider) named(t *testing.T, name string) *Client {
	t.Helper()
	known, ok := FindProvider(name, "")
	if !ok {
		t.Fatal("no provider", name)
	}
	client := p.client()
	client.Dead, client.Basic, client.NoPKCE = known.Dead, known.Basic, known.NoPKCE
	return client
}

func TestEachProvidersWordForADeadGrantIsUnderstood(t *testing.T) {
	for _, c := range deadWords {
		t.Run(c.provider+" "+c.refused, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, store := newProvider(), holding(t, stored(-time.Second))
				p.now(answering(c.status, jsonType, c.body))
				source := open(t, p, store)
				source.Renew = p.named(t, c.provider).Refresh
				if e := refused(t, source); e.Action != ActionLogin || load(t, store).Refused != c.refused {
					t.Errorf("%v; stored as %q", e, load(t, store).Refused)
				}
				for _, other := range []string{"", "google"} { // whose words these are not
					client := p.client()
					if other != "" {
						client = p.named(t, other)
					}
					if _, err := client.Refresh(t.Context(), stored(0)); LoginNeeded(err) {
						t.Errorf("by another provider, %q: %v", other, err)
					}
				}
				for _, status := range []int{408, 429, 500, 503} {
					p.now(answering(status, jsonType, c.body))
					if _, err := p.named(t, c.provider).Refresh(t.Context(), stored(0)); LoginNeeded(err) {
						t.Errorf("with %d: %v", status, err)
					}
				}
				p.now(answering(200, jsonType, whole)) // beside tokens no word counts
				if _, err := p.named(t, c.provider).Refresh(t.Context(), stored(0)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The words are about refresh tokens, not about codes.
func TestALoginIsToldWhatIsWrongWithIt(t *testing.T) {
	p := newProvider()
	p.now(answering(400, jsonType, `{"error":"invalid_request"}`))
	_, err := p.named(t, "x").exchange(t.Context(), "code", "verifier")
	if e := asError(err); e.Action != ActionConfig {
		t.Error(e)
	}
}

func TestARefusalThatStaysIsProbablyADeadLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(-time.Second))
		p.now(answering(400, jsonType, `{"status":400,"message":"nonsense `+canary+`"}`))
		source := open(t, p, store)
		var outcomes []Outcome
		source.Outcome = func(outcome Outcome) { outcomes = append(outcomes, outcome) }
		ask := func(d time.Duration) (last *Error) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Second) {
				last = refused(t, source)
			}
			return last
		}
		if e := ask(59 * time.Minute); e.Probably || source.Status().State != StateFailing {
			t.Errorf("%+v", e)
		}
		p.now(answering(503, "text/html", "<h1>trouble")) // which says nothing about it
		ask(10 * time.Minute)
		p.now(answering(400, jsonType, `{"status":400,"message":"other words"}`))
		e := ask(10 * time.Minute)
		if !e.Probably || e.Action != ActionRetry || !strings.Contains(e.Hint, "log in again") || source.Status().State != StateLoginNeeded || outcomes[len(outcomes)-1] != "login_needed" {
			t.Errorf("%+v, %v", e, source.Status().State)
		}
		checkSilent(t, e)
		if got := open(t, p, store).Peek(); got.State != StateLoginNeeded || !got.Failure.Probably {
			t.Errorf("another process sees %+v", got)
		}
		calls := p.calls()
		ask(30 * time.Minute)
		if p.calls() <= calls {
			t.Error("the renewal is tried no more")
		}
		p.now(rotating)
		time.Sleep(10 * time.Minute)
		mustToken(t, source)
		if got := load(t, store); got.Failed.Sign != "" || source.Status().State != StateReady {
			t.Errorf("%+v", got.Failed)
		}
	})
}

// Neither few tries nor changing refusals say anything, nor those of a client's own grant.
func TestFewOrChangingRefusalsProveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		source := open(t, p, holding(t, stored(-time.Second)))
		n := 0
		p.now(answering(400, jsonType, `{"error":"odd"}`))
		for range 5 {
			if e := refused(t, source); e.Probably {
				t.Error("after", p.calls(), "tries")
			}
			time.Sleep(time.Hour)
		}
		for range 30 {
			n++
			p.now(answering(400, jsonType, fmt.Sprintf(`{"error":"odd_%c"}`, 'a'+n%2)))
			if e := refused(t, source); e.Probably {
				t.Error("changing refusals")
			}
			time.Sleep(10 * time.Minute)
		}
		for _, answer := range []string{"text/html", "text/plain"} {
			p.now(answering(403, answer, "<h1>the portal refuses"))
			for range 30 {
				if e := refused(t, source); e.Probably {
					t.Error("a page")
				}
				time.Sleep(10 * time.Minute)
			}
		}
		own := &Source{Name: "alexa", Store: &MemoryStore{}, Unattended: true, Renew: p.client().ClientCredentials}
		testkit.NoError(t, own.Store.Save("alexa.own", stored(-time.Second)))
		p.now(answering(400, jsonType, `{"error":"odd"}`))
		for range 30 {
			if e := refused(t, own); e.Probably {
				t.Error("a login does not help a client's own grant")
			}
			time.Sleep(10 * time.Minute)
		}
	})
}

// A provider that takes the secret in a header alone proves by invalid_client that
// nothing was spent: it is asked once more, and from then on at once.
func TestTheOtherWayToSendASecretIsTriedOnce(t *testing.T) {
	p := newProvider()
	p.basic = true
	client := p.client()
	client.TryBasic = true
	for n := range 2 {
		if _, err := client.Refresh(t.Context(), stored(0)); err != nil || p.calls() != 2+n {
			t.Errorf("%v after %d calls", err, p.calls())
		}
	}
	byDevice := p.client() // which has not found out yet
	byDevice.TryBasic = true
	before := p.calls()
	if _, err := byDevice.deviceCode(t.Context()); asError(err).Code == "invalid_client" || p.calls() != before+2 {
		t.Error(err)
	}
	fixed := p.client() // token_auth = "body"
	if _, err := fixed.Refresh(t.Context(), stored(0)); asError(err).Code != "invalid_client" || !strings.Contains(asError(err).Hint, `token_auth = "basic"`) {
		t.Error(err)
	}
	p.basic = false
	p.now(answering(401, jsonType, `{"error":"invalid_client"}`))
	wrong := p.client()
	wrong.TryBasic = true
	before = p.calls()
	if _, err := wrong.exchange(t.Context(), "code", "verifier"); asError(err).Code != "invalid_client" || p.calls() != before+2 {
		t.Error(err)
	}
	p.now(answering(400, jsonType, `{"error":"invalid_grant"}`))
	before = p.calls()
	if _, err := wrong.exchange(t.Context(), "code", "verifier"); err == nil || p.calls() != before+1 {
		t.Error("a code was sent twice:", err)
	}
}

func TestPKCEIsLeftOutWhereTheProviderRefusesIt(t *testing.T) {
	for _, c := range []struct {
		client func(p *provider) *Client
		pkce   bool
	}{
		{func(p *provider) *Client { return p.client() }, true},
		{func(p *provider) *Client { return p.named(t, "google") }, true},
		{func(p *provider) *Client { return p.named(t, "linkedin") }, false},
	} {
		p := newProvider()
		client := c.client(p)
		logins := &Logins{}
		login := begin(t, logins, &Source{Name: "alexa", Store: &MemoryStore{}}, client)
		testkit.Must(client.exchange(t.Context(), "code", login.verifier))(t)
		if asked := strings.Contains(login.URL, "code_challenge"); asked != c.pkce || p.last().Has("code_verifier") != c.pkce || !strings.Contains(login.URL, "state=") {
			t.Errorf("%s, then %v", login.URL, p.last())
		}
	}
}
