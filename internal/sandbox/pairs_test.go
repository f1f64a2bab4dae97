package sandbox

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

type pairAnswer struct {
	UserCode   string `json:"user_code"`
	DeviceCode string `json:"device_code"`
	URI        string `json:"verification_uri"`
	ExpiresIn  int    `json:"expires_in"`
	Interval   int    `json:"interval"`
}

func newPair(t *testing.T, s *Sandbox) pairAnswer {
	t.Helper()
	answer := do(t, client(t, s), "POST", s.LWA()+"/auth/O2/create/codepair", "application/x-www-form-urlencoded", strings.NewReader(pairForm().Encode()))
	var pair pairAnswer
	if err := json.Unmarshal(answer.body, &pair); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", answer.Status, answer.body)
	}
	return pair
}

func TestPairAnswerLooksLikeAmazons(t *testing.T) {
	s := start(t, Options{})
	pair := newPair(t, s)
	if !regexp.MustCompile(`^[A-Z2-9]{6}$`).MatchString(pair.UserCode) || !strings.HasPrefix(pair.DeviceCode, "sandbox-") {
		t.Errorf("%+v", pair)
	}
	if pair.URI != s.LWA()+"/us/code" || pair.ExpiresIn != 600 || pair.Interval != 30 {
		t.Errorf("%+v", pair)
	}
}

func TestAutomaticConsentAllowsTheFirstPoll(t *testing.T) {
	s := start(t, Options{})
	pair := newPair(t, s)
	answer := postToken(t, s, pollForm(pair.DeviceCode, pair.UserCode))
	if answer.status != http.StatusOK || answer.TokenType != "bearer" || answer.RefreshToken == "" {
		t.Fatalf("%+v", answer)
	}
	if again := postToken(t, s, pollForm(pair.DeviceCode, pair.UserCode)); again.Error != "invalid_code_pair" {
		t.Errorf("the pair is good twice: %+v", again)
	}
	if ping := send(t, client(t, s), ask(t, s, answer.AccessToken, "GET", "/ping", nil)); ping.StatusCode != http.StatusNoContent {
		t.Error(ping.Status)
	}
	if renewed := postToken(t, s, refreshForm(answer.RefreshToken, "client_secret", "")); renewed.status != http.StatusOK {
		t.Errorf("%+v", renewed)
	}
	if secret := postToken(t, s, refreshForm(answer.RefreshToken)); secret.Error != "unauthorized_client" {
		t.Errorf("renewed with a secret: %+v", secret)
	}
}

func TestCodeIsTypedOnAPage(t *testing.T) {
	for decision, want := range map[string]string{"allow": "", "cancel": "access_denied"} {
		t.Run(decision, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { typeCode(t, decision, want) })
		})
	}
}

func typeCode(t *testing.T, decision, want string) {
	c := piped(t, Options{AskConsent: true})
	pair := requestPair(context.WithValue(t.Context(), oauth2.HTTPClient, c), t, deviceConfig(pipeURL))
	poll := func() string {
		time.Sleep(30 * time.Second)
		return postTo(t, c, pipeURL+"/auth/o2/token", pollForm(pair.DeviceCode, pair.UserCode)).Error
	}
	v := visit(t, c, pair.VerificationURI)
	contains(t, string(v.page.body), "not Amazon", "Type the code")
	if got := poll(); got != "authorization_pending" {
		t.Error(got)
	}
	typed := strings.ToLower(pair.UserCode[:3]) + "-" + pair.UserCode[3:] + " "
	contains(t, string(v.press(t, "user_code", typed).body), pair.UserCode, "alexa:all", "test_device", ">Allow<", ">Cancel<")
	if got := poll(); got != "authorization_pending" {
		t.Error(got)
	}
	if last := v.press(t, "decision", decision); last.StatusCode != http.StatusOK {
		t.Error(last.Status)
	}
	if got := poll(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestVerificationPageRefuses(t *testing.T) {
	s := start(t, Options{AskConsent: true})
	pair := newPair(t, s)
	if answer := visit(t, client(t, s), pair.URI).press(t, "user_code", "WRONG1"); answer.StatusCode != http.StatusBadRequest {
		t.Error(answer.Status)
	} else {
		contains(t, string(answer.body), "not known", "Type the code")
	}
	for name, answer := range map[string]reply{
		"no token":                 visit(t, client(t, s), pair.URI).press(t, "user_code", pair.UserCode, "form_token", ""),
		"the page between":         visit(t, client(t, s), pair.URI).press(t, "user_code", pair.UserCode, "decision", "allow"),
		"method":                   do(t, client(t, s), "PUT", pair.URI, "", nil),
		"more than a code's worth": visit(t, client(t, s), pair.URI).press(t, "user_code", strings.Repeat("x", maxForm)),
	} {
		if answer.StatusCode < 400 {
			t.Errorf("%s: %s", name, answer.Status)
		}
	}
	if answer := postToken(t, s, pollForm(pair.DeviceCode, pair.UserCode)); answer.Error != "authorization_pending" {
		t.Errorf("it is decided: %+v", answer)
	}
}

func TestDeniedPairs(t *testing.T) {
	s := start(t, Options{Faults: faultSet(t, "access_denied x1")})
	pair := newPair(t, s)
	checkRefusal(t, postToken(t, s, pollForm(pair.DeviceCode, pair.UserCode)), 400, "access_denied", "Access not permitted.")
}

// The flow with sockets and TLS, and a person at the page.
func TestXOAuth2DeviceFlow(t *testing.T) {
	s := start(t, Options{AskConsent: true, TimeScale: 60})
	config := deviceConfig(s.LWA())
	ctx := context.WithValue(within(t, time.Minute), oauth2.HTTPClient, client(t, s))
	pair := requestPair(ctx, t, config)
	v := visit(t, client(t, s), pair.VerificationURI)
	v.press(t, "user_code", pair.UserCode)
	v.press(t, "decision", "allow")
	token, err := awaitDevice(ctx, config, pair)
	if err != nil || token.RefreshToken == "" || token.ExpiresIn != 60 {
		t.Errorf("%+v, %v", token, err)
	}
}
