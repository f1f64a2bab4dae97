package tokens

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

func TestProviderErrorsSayWhoCanEndThem(t *testing.T) {
	long := strings.Repeat("x", 41)
	for _, c := range []struct {
		status int
		error  string
		action Action
		code   string
		say    string
	}{
		{400, "invalid_grant", ActionLogin, "invalid_grant", "no longer accepts"},
		{401, "invalid_grant", ActionLogin, "invalid_grant", "no longer accepts"},
		{400, "INVALID_GRANT", ActionLogin, "invalid_grant", "no longer accepts"},
		{401, "invalid_client", ActionConfig, "invalid_client", "secret"},
		{400, "invalid_client", ActionConfig, "invalid_client", "secret"},
		{400, "unauthorized_client", ActionConfig, "unauthorized_client", "not allow"},
		{400, "InvalidValue", ActionConfig, "invalidvalue", "parameter"},
		{400, "invalid_request", ActionConfig, "invalid_request", "parameter"},
		{400, "invalid_scope", ActionConfig, "invalid_scope", "scopes"},
		{400, "unsupported_grant_type", ActionConfig, "unsupported_grant_type", "grant"},
		{403, "unauthorized_client", ActionRetry, "unauthorized_client", "(403"},
		{403, "invalid_grant", ActionLogin, "invalid_grant", "no longer accepts"}, // Auth0
		{200, "invalid_grant", ActionLogin, "invalid_grant", "no longer accepts"},
		{404, "invalid_grant", ActionLogin, "invalid_grant", "no longer accepts"},
		{422, "Invalid_Grant", ActionLogin, "invalid_grant", "no longer accepts"},
		{302, "invalid_grant", ActionLogin, "invalid_grant", "no longer accepts"},
		{429, "throttling", ActionWait, "throttling", "(429"},
		{400, "throttling", ActionRetry, "throttling", "throttling"},
		{405, "invalid_request", ActionRetry, "invalid_request", "(405"},
		{500, "servererror", ActionRetry, "servererror", "(500"},
		{503, "ServerError", ActionRetry, "servererror", "(503"},
		{400, "servererror", ActionRetry, "servererror", "servererror"},
		// What is said about polls says nothing about a login that is there.
		{400, "authorization_pending", ActionRetry, "authorization_pending", "authorization_pending"},
		{400, "slow_down", ActionRetry, "slow_down", "slow_down"},
		{400, "expired_token", ActionRetry, "expired_token", "expired_token"},
		{400, "access_denied", ActionRetry, "access_denied", "access_denied"},
		{400, "invalid_code_pair", ActionRetry, "invalid_code_pair", "invalid_code_pair"},
		{400, canary, ActionRetry, "unknown_error", "unknown_error"},
		{400, long, ActionRetry, "unknown_error", "unknown_error"},
		{400, "refresh-0", ActionRetry, "unknown_error", "unknown_error"},
		{400, `a\u001b[31m`, ActionRetry, "unknown_error", "unknown_error"},
	} {
		t.Run(fmt.Sprint(c.status, " ", c.error), func(t *testing.T) {
			p := newProvider()
			p.now(answering(c.status, jsonType, fmt.Sprintf(`{"error":"%s","error_description":"%s","error_uri":"%s","request_id":"x"}`, c.error, canary, canary)))
			_, err := p.client().Refresh(t.Context(), stored(0))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			if e.Action != c.action || e.Code != c.code || !strings.Contains(e.Message, c.say) || e.Hint == "" {
				t.Errorf("%s %s: %s; %s", e.Action, e.Code, e.Message, e.Hint)
			}
			if c.status == 403 && c.error == "unauthorized_client" && !strings.Contains(e.Hint, "type of the client") {
				t.Error(e.Hint)
			}
			if LoginNeeded(err) != (c.action == ActionLogin) {
				t.Error("LoginNeeded disagrees")
			}
			checkSilent(t, e)
		})
	}
}

func TestClientSecretThatCannotBeHadIsAConfigurationError(t *testing.T) {
	p, cause := newProvider(), errors.New("no such file")
	client := p.client()
	client.Secret = func() (Secret, error) { return "", cause }
	_, refresh := client.Refresh(t.Context(), stored(0))
	_, exchange := client.exchange(t.Context(), "code", "verifier")
	revoke := client.Revoke(t.Context(), stored(0))
	for _, err := range []error{refresh, exchange, revoke} {
		var e *Error
		if !errors.As(err, &e) || e.Action != ActionConfig || !errors.Is(err, cause) {
			t.Error(err)
		}
	}
	if p.calls() != 0 {
		t.Error("the provider was asked without a secret")
	}
}

const invalidGrant = `{"error":"invalid_grant","error_description":"The request has an invalid grant parameter : refresh_token. User may have revoked or didn't grant the permission."}`

func TestInvalidGrantEndsInLoginNeededAndIsKeptForDiagnosis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(-time.Second))
		p.now(answering(400, jsonType, invalidGrant))
		source := open(t, p, store)
		var outcomes []Outcome
		source.Outcome = func(outcome Outcome) { outcomes = append(outcomes, outcome) }
		for range 100 {
			if e := refused(t, source); e.Action != ActionLogin {
				t.Fatal(e)
			}
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		restarted := open(t, p, store)
		if e := refused(t, restarted); e.Action != ActionLogin || !strings.Contains(e.Error(), "invalid_grant") {
			t.Error(e)
		}
		if p.calls() != 1 || outcomes[0] != "login_needed" {
			t.Errorf("%d token calls, outcomes %v", p.calls(), outcomes)
		}
		if got := load(t, store); !got.sameTokens(stored(0)) || got.Refused != "invalid_grant" {
			t.Errorf("the store holds %+v", got)
		}
		for _, s := range []*Source{source, restarted} {
			if got := s.Status(); got.State != StateLoginNeeded || got.Failure.Action != ActionLogin {
				t.Errorf("%+v", got)
			}
		}
	})
}

func TestANewLoginHealsARefusedOne(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		t.Run(fmt.Sprint("by another process: ", elsewhere), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, store := newProvider(), holding(t, stored(-time.Second))
				p.now(answering(400, jsonType, invalidGrant))
				source := open(t, p, store)
				refused(t, source)
				fresh := stored(time.Hour)
				fresh.Access, fresh.LoggedIn = "new", wallNow()
				putting := source
				if elsewhere {
					putting = open(t, p, store)
				}
				testkit.NoError(t, putting.SetGrant(t.Context(), fresh))
				if got := mustToken(t, source); got != "new" {
					t.Error(got.Reveal())
				}
				if got := source.Status(); got.State != StateReady || got.Failure != nil {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

func TestARefusedLoginServesItsLiveTokenToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), holding(t, stored(4*time.Minute))
		p.now(answering(400, jsonType, invalidGrant))
		for range 2 {
			source := open(t, p, store)
			for range 60 {
				mustToken(t, source)
				time.Sleep(time.Second)
			}
			if got := source.Status(); got.State != StateReady || got.Failure == nil || got.Failure.Action != ActionLogin {
				t.Errorf("%+v", got)
			}
		}
		time.Sleep(2 * time.Minute)
		refused(t, open(t, p, store))
		if p.calls() != 1 {
			t.Errorf("%d calls", p.calls())
		}
	})
}

// The end of a token that cannot be renewed must not leave a back-off behind
// that hides the login which somebody makes meanwhile.
func TestALoginAfterTheEndIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ending := stored(5 * time.Minute)
		ending.Refresh = ""
		p, store := newProvider(), holding(t, ending)
		source := open(t, p, store)
		for range 300 {
			mustToken(t, source)
			time.Sleep(time.Second)
		}
		refused(t, source)
		testkit.NoError(t, open(t, p, store).SetGrant(t.Context(), stored(time.Hour)))
		mustToken(t, source)
		if p.calls() != 0 {
			t.Errorf("%d calls without a refresh token", p.calls())
		}
	})
}

func TestRotatedSecretIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.now(answering(401, jsonType, `{"error":"invalid_client"}`))
		client, secret := p.client(), Secret("old")
		client.Secret = func() (Secret, error) { return secret, nil }
		source := open(t, p, holding(t, stored(-time.Second)))
		source.Renew = client.Refresh
		e := refused(t, source)
		if e.Action != ActionConfig || p.last().Get("client_secret") != "old" || source.Status().State != StateFailing {
			t.Error(e)
		}
		secret = "new"
		p.now(rotating)
		time.Sleep(e.RetryAfter)
		mustToken(t, source)
		if p.last().Get("client_secret") != "new" {
			t.Error("the old secret was sent")
		}
	})
}
