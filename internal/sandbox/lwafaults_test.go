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
func TestFaultsThatReplaceTheTokenAnswer(t *testing.T) {
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
			setFaults(t, s.Faults(), list+" x1")
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
		setFaults(t, s.Faults(), name+" x1")
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
		setFaults(t, s.Faults(), "codepair="+name+"@1")
		if got := postTo(t, client(t, s), s.LWA()+pairPath, pairForm()); got.Error != name {
			t.Errorf("%s: %+v", name, got)
		}
		newPair(t, s)
	}
}

// An error burns a code, as a failed exchange does; an outage does not.
func TestFaultsThatInvalidateCodes(t *testing.T) {
	s := start(t, Options{})
	for list, want := range map[string]string{
		"invalid_client": "invalid_grant", "invalid_grant": "invalid_grant", "token-cut": "invalid_grant", "token-lost": "invalid_grant",
		"token-503": "", "token-429": "", "token-html": "", "token-empty": "",
	} {
		code := consentTo(t, s, authorizeQuery()).Get("code")
		setFaults(t, s.Faults(), list+" x1")
		rawToken(t, s, exchangeForm(code))
		if got := rawToken(t, s, exchangeForm(code)).error(); got != want {
			t.Errorf("after %s: %q, want %q", list, got, want)
		}
	}
}

func TestTokenCutBreaksOff(t *testing.T) {
	s := start(t, Options{})
	tokens := loggedIn(t, s)
	setFaults(t, s.Faults(), "token-cut@1")
	got := rawToken(t, s, refreshForm(tokens.RefreshToken))
	if got.status != 200 || got.err == nil || !strings.HasPrefix(got.body, "{") || json.Valid([]byte(got.body)) {
		t.Errorf("%+v", got)
	}
}

// With rotation, a lost answer leaves the client with a spent token.
func TestTokenLostNeverAnswers(t *testing.T) {
	s := start(t, Options{})
	tokens := loggedIn(t, s)
	setFaults(t, s.Faults(), "rotate-refresh, token-lost@1")
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
