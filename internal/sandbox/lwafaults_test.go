package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/sandbox/faults"
)

// A raw answer of the token endpoint, as far as it came.
type rawAnswer struct {
	status int
	header http.Header
	body   string
	err    error
}

func rawToken(t *testing.T, s *Sandbox, form url.Values) rawAnswer {
	t.Helper()
	request, _ := http.NewRequestWithContext(within(t, time.Minute), "POST", s.LWA()+"/auth/o2/token", strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := client(t, s).Do(request)
	if err != nil {
		return rawAnswer{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return rawAnswer{response.StatusCode, response.Header, string(body), err}
}

func (a rawAnswer) error() string {
	var members tokenAnswer
	json.Unmarshal([]byte(a.body), &members)
	return members.Error
}

// Answers that stand in for the real one leave the refresh token alone.
func TestFaultsThatAnswer(t *testing.T) {
	s := start(t, Options{})
	refresh := loggedIn(t, s).RefreshToken
	for list, want := range map[string]rawAnswer{
		"token-html":             {status: 200, body: "<h1>Sign in"},
		"token-empty":            {status: 200},
		"token-429":              {status: 429, body: `"error":"throttling"`},
		"token-429=120":          {status: 429, header: http.Header{"Retry-After": {"120"}}, body: `"error":"throttling"`},
		"token-500":              {status: 500, body: "<h1>500 Internal Server Error"},
		"token-503":              {status: 503, body: "<h1>503 Service Unavailable"},
		"invalid_grant":          {status: 400, body: "refresh_token. User may have revoked"},
		"invalid_client":         {status: 401, body: "Client authentication failed"},
		"unauthorized_client":    {status: 400, body: `"error":"unauthorized_client"`},
		"invalid_request":        {status: 400, body: `"error":"invalid_request"`},
		"InvalidValue":           {status: 400, body: "The request has an invalid parameter : client_id"},
		"invalid_scope":          {status: 400, body: `"error":"invalid_scope"`},
		"unsupported_grant_type": {status: 400, body: `"error":"unsupported_grant_type"`},
		"servererror":            {status: 500, body: `"error":"servererror"`},
	} {
		t.Run(list, func(t *testing.T) {
			tell(t, s.Faults(), list+" x1")
			got := rawToken(t, s, refreshForm(refresh))
			if got.err != nil || got.status != want.status || !strings.Contains(got.body, want.body) || got.header.Get("Retry-After") != want.header.Get("Retry-After") {
				t.Errorf("%+v", got)
			}
			if (got.body == "") != (want.body == "") || strings.Contains(got.body, "access_token") {
				t.Errorf("body %q", got.body)
			}
			if html := strings.HasPrefix(want.body, "<"); html != strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
				t.Error(got.header.Get("Content-Type"))
			}
			if again := rawToken(t, s, refreshForm(refresh)); again.status != 200 {
				t.Errorf("afterwards: %+v", again)
			}
		})
	}
}

func TestFaultsStrikePolls(t *testing.T) {
	s := start(t, Options{})
	for _, name := range []string{"authorization_pending", "slow_down", "invalid_code_pair"} {
		pair := newPair(t, s)
		tell(t, s.Faults(), name+" x1")
		if refreshed := postToken(t, s, refreshForm("Atzr|x")); refreshed.Error != "invalid_grant" {
			t.Errorf("%s struck a refresh", name)
		}
		if got := postToken(t, s, pollForm(pair.DeviceCode, pair.UserCode)); got.status != 400 || got.Error != name {
			t.Errorf("%s: %d %s", name, got.status, got.Error)
		}
		if got := postToken(t, s, pollForm(pair.DeviceCode, pair.UserCode)); got.status != 200 {
			t.Errorf("after %s: %d %s", name, got.status, got.Error)
		}
	}
}

func TestFaultsStrikePairs(t *testing.T) {
	s := start(t, Options{})
	for _, name := range []string{"InvalidValue", "invalid_request", "invalid_scope", "unauthorized_client", "servererror"} {
		tell(t, s.Faults(), "codepair="+name+"@1")
		if got := postTo(t, client(t, s), s.LWA()+pairPath, pairForm()); got.Error != name {
			t.Errorf("%s: %+v", name, got)
		}
		newPair(t, s)
	}
}

// An error burns a code, as a failed exchange does; an outage does not.
func TestFaultsAndCodes(t *testing.T) {
	s := start(t, Options{})
	for list, want := range map[string]string{
		"invalid_client": "invalid_grant", "invalid_grant": "invalid_grant", "token-cut": "invalid_grant", "token-lost": "invalid_grant",
		"token-503": "", "token-429": "", "token-html": "", "token-empty": "",
	} {
		code := consentTo(t, s, authorizeQuery()).Get("code")
		tell(t, s.Faults(), list+" x1")
		rawToken(t, s, exchangeForm(code))
		if got := rawToken(t, s, exchangeForm(code)).error(); got != want {
			t.Errorf("after %s: %q, want %q", list, got, want)
		}
	}
}

func TestTokenCutBreaksOff(t *testing.T) {
	s := start(t, Options{})
	tokens := loggedIn(t, s)
	tell(t, s.Faults(), "token-cut@1")
	got := rawToken(t, s, refreshForm(tokens.RefreshToken))
	if got.status != 200 || got.err == nil || !strings.HasPrefix(got.body, "{") || json.Valid([]byte(got.body)) {
		t.Errorf("%+v", got)
	}
}

// With rotation, a lost answer leaves the client with a spent token.
func TestTokenLostNeverAnswers(t *testing.T) {
	s := start(t, Options{})
	tokens := loggedIn(t, s)
	tell(t, s.Faults(), "rotate-refresh, token-lost@1")
	if got := rawToken(t, s, refreshForm(tokens.RefreshToken)); got.err == nil {
		t.Errorf("%+v", got)
	}
	if got := rawToken(t, s, refreshForm(tokens.RefreshToken)); got.error() != "invalid_grant" {
		t.Errorf("%+v", got)
	}
	calls := s.TokenCalls()
	if lost := calls[1]; lost.Status != 200 || lost.Fault != "token-lost@1" {
		t.Errorf("%+v", lost)
	}
}

func TestTokenSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, Options{TokenDelay: time.Second, Faults: faultSet(t, "token-slow=30s@2, token-503@2")})
		for _, want := range []time.Duration{time.Second, 31 * time.Second, time.Second} {
			begun := time.Now()
			answer, err := c.PostForm(pipeURL+"/auth/o2/token", refreshForm("x"))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if took := time.Since(begun); took != want {
				t.Errorf("%s after %v, want %v", answer.Status, took, want)
			}
		}
	})
}

func TestExpiresInAsItShouldNotBe(t *testing.T) {
	s := start(t, Options{})
	refresh := loggedIn(t, s).RefreshToken
	for value, want := range map[string]string{
		"string": `"expires_in":"3600"`, "absent": "", "0": `"expires_in":0,`, "negative": `"expires_in":-3600`, "huge": `"expires_in":99999999999`, "2": `"expires_in":2,`,
	} {
		tell(t, s.Faults(), "expires-in="+value+"@1")
		got := rawToken(t, s, refreshForm(refresh))
		if got.status != 200 || !strings.Contains(got.body, want) || (want == "") == strings.Contains(got.body, "expires_in") {
			t.Errorf("%s: %+v", value, got)
		}
	}
}

func TestRefreshTokensOfFaults(t *testing.T) {
	s := start(t, Options{})
	refresh := func(token string) tokenAnswer { return postToken(t, s, refreshForm(token)) }

	first := loggedIn(t, s).RefreshToken
	tell(t, s.Faults(), "same-refresh, omit-refresh@2")
	if got := refresh(first); got.RefreshToken != first {
		t.Error("same-refresh gave another")
	}
	if got := refresh(first); got.status != 200 || got.RefreshToken != "" {
		t.Errorf("omit-refresh: %+v", got)
	}

	tell(t, s.Faults(), "rotate-refresh")
	second := refresh(first)
	if second.status != 200 || second.RefreshToken == first || second.RefreshToken == "" {
		t.Fatalf("rotate-refresh: %+v", second)
	}
	if got := refresh(first); got.Error != "invalid_grant" {
		t.Errorf("a spent token: %+v", got)
	}
	if got := refresh(second.RefreshToken); got.status != 200 {
		t.Errorf("its successor: %+v", got)
	}
}

func TestReuseDetectionEndsTheFamily(t *testing.T) {
	s := start(t, Options{Faults: faultSet(t, "reuse-detection")})
	other, first := loggedIn(t, s), loggedIn(t, s)
	second := postToken(t, s, refreshForm(first.RefreshToken))
	if second.status != 200 || second.RefreshToken == first.RefreshToken {
		t.Fatalf("%+v", second)
	}
	if reused := postToken(t, s, refreshForm(first.RefreshToken)); reused.Error != "invalid_grant" {
		t.Errorf("%+v", reused)
	}
	if after := postToken(t, s, refreshForm(second.RefreshToken)); after.Error != "invalid_grant" {
		t.Errorf("the family lives: %+v", after)
	}
	for token, want := range map[string]int{second.AccessToken: 403, other.AccessToken: 204} {
		if got := send(t, client(t, s), ask(t, s, token, "GET", "/ping", nil)); got.StatusCode != want {
			t.Errorf("%s, want %d", got.Status, want)
		}
	}
	if got := postToken(t, s, refreshForm(other.RefreshToken)); got.status != 200 {
		t.Errorf("another family: %+v", got)
	}
}

// Of many that spend one refresh token at once, one is answered.
func TestRotationHasOneWinner(t *testing.T) {
	g := newGrants(new(faults.Set))
	token := g.begin(grant{family: "f"})
	won := make(chan bool)
	for range 20 {
		go func() {
			_, ok := g.rotate(token)
			won <- ok
		}()
	}
	winners := 0
	for range 20 {
		if <-won {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d winners", winners)
	}
}

func TestSpentTokensAreForgottenInTheEnd(t *testing.T) {
	g := newGrants(nil)
	first := g.begin(grant{})
	token := first
	for range maxSpent + 10 {
		token, _ = g.rotate(token)
	}
	if _, known := g.find(first); known || len(g.refresh) != maxSpent+1 || len(g.spent) != maxSpent {
		t.Errorf("%d tokens, %d spent", len(g.refresh), len(g.spent))
	}
}

func TestExpireToken(t *testing.T) {
	s := start(t, Options{})
	ping := func(token string) int {
		return send(t, client(t, s), ask(t, s, token, "GET", "/ping", nil)).StatusCode
	}
	first := loggedIn(t, s)
	tell(t, s.Faults(), "expire-token@2")
	if ping(first.AccessToken) != 204 || ping(first.AccessToken) != 403 {
		t.Error("not at the second request")
	}
	healed := postToken(t, s, refreshForm(first.RefreshToken))
	if ping(healed.AccessToken) != 204 || ping(first.AccessToken) != 403 {
		t.Error("a refresh does not heal")
	}
}

func TestExpireTokenAfterAWhileSparesLaterTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, Options{Faults: faultSet(t, "expire-token@10s")})
		valid := func(token string) bool {
			answer, err := c.Get(pipeURL + "/auth/o2/tokeninfo?access_token=" + url.QueryEscape(token))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			return answer.StatusCode == 200
		}
		first := postTo(t, c, pipeURL+"/auth/o2/token", exchangeForm(codeFrom(t, c)))
		if !valid(first.AccessToken) {
			t.Error("too early")
		}
		time.Sleep(10 * time.Second)
		second := postTo(t, c, pipeURL+"/auth/o2/token", refreshForm(first.RefreshToken))
		if !valid(second.AccessToken) || valid(first.AccessToken) {
			t.Error("not the older one alone")
		}
	})
}

func TestExpireTokenWithALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, Options{TimeScale: 60, Faults: faultSet(t, "expire-token=2s@2, expires-in=3600@3, expire-token=3s@3")})
		code := codeFrom(t, c)
		for i, want := range []int{60, 2, 3600} {
			form := exchangeForm(code)
			if i > 0 {
				form = refreshForm(code)
			}
			answer := postTo(t, c, pipeURL+"/auth/o2/token", form)
			if answer.ExpiresIn != want {
				t.Errorf("expires in %d, want %d", answer.ExpiresIn, want)
			}
			code = answer.RefreshToken
		}
	})
}
