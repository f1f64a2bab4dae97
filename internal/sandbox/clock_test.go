package sandbox

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

func codeFrom(t *testing.T, c *http.Client) string {
	t.Helper()
	answer, err := c.Get(pipeURL + "/ap/oa?" + authorizeQuery().Encode())
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	target, _ := url.Parse(answer.Header.Get("Location"))
	return target.Query().Get("code")
}

func TestLifetimesPassInABubble(t *testing.T) {
	for name, scale := range map[string]float64{"Amazon's time": 0, "an hour in a minute": 60, "half as fast": 0.5} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { lifetimesPass(t, scale) })
		})
	}
}

func lifetimesPass(t *testing.T, scale float64) {
	c := piped(t, Options{TimeScale: scale})
	scaled := func(d time.Duration) time.Duration {
		if scale > 0 {
			d = time.Duration(float64(d) / scale)
		}
		return d
	}
	begun := time.Now()
	inTime, late := codeFrom(t, c), codeFrom(t, c)
	time.Sleep(scaled(5*time.Minute) - time.Millisecond)
	tokens := postTo(t, c, pipeURL+"/auth/o2/token", exchangeForm(inTime))
	if tokens.status != http.StatusOK || time.Duration(tokens.ExpiresIn)*time.Second != scaled(time.Hour) {
		t.Fatalf("%+v", tokens)
	}
	time.Sleep(time.Millisecond)
	if answer := postTo(t, c, pipeURL+"/auth/o2/token", exchangeForm(late)); answer.Error != "invalid_grant" {
		t.Errorf("a code is good after %v: %d", time.Since(begun), answer.status)
	}
	info := pipeURL + "/auth/o2/tokeninfo?access_token=" + url.QueryEscape(tokens.AccessToken)
	for _, want := range []int{http.StatusOK, http.StatusBadRequest} {
		answer, err := c.Get(info)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("the token after %v: %s", time.Since(begun), answer.Status)
		}
		time.Sleep(scaled(time.Hour))
	}
}

func TestPairsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, Options{})
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, c)
		pair := requestPair(ctx, t, deviceConfig(pipeURL))
		if left := time.Until(pair.Expiry); left != 600*time.Second || pair.Interval != 30 {
			t.Errorf("expires in %v, interval %d", left, pair.Interval)
		}
		time.Sleep(600 * time.Second)
		answer := postTo(t, c, pipeURL+"/auth/o2/token", pollForm(pair.DeviceCode, pair.UserCode))
		checkRefusal(t, answer, 400, "invalid_code_pair", "The code pair is unknown, expired or used")
	})
}

func TestIntervalsAreScaled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, Options{TimeScale: 60, AskConsent: true})
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, c)
		pair := requestPair(ctx, t, deviceConfig(pipeURL))
		if left := time.Until(pair.Expiry); left != 10*time.Second || pair.Interval != 1 {
			t.Errorf("expires in %v, interval %d", left, pair.Interval)
		}
		for _, step := range []struct {
			wait time.Duration
			want string
		}{{0, "authorization_pending"}, {0, "slow_down"}, {400 * time.Millisecond, "slow_down"}, {500 * time.Millisecond, "authorization_pending"}} {
			time.Sleep(step.wait)
			if answer := postTo(t, c, pipeURL+"/auth/o2/token", pollForm(pair.DeviceCode, pair.UserCode)); answer.Error != step.want {
				t.Errorf("after %v: %s, want %s", step.wait, answer.Error, step.want)
			}
		}
	})
}

func TestFormsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFormTokens(time.Minute)
		token := s.issue("a")
		time.Sleep(time.Minute - 1)
		if !s.valid("a", token) || s.valid("b", token) || s.valid("a", "") || newFormTokens(time.Minute).valid("a", token) {
			t.Error("a token is good for its purpose, its sandbox and nothing else")
		}
		time.Sleep(time.Nanosecond)
		if s.valid("a", token) {
			t.Error("a token is good for ever")
		}
	})
}

// x/oauth2 polls every 30 s of the bubble, as it was told.
func TestXOAuth2DeviceFlowInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := faultSet(t, "authorization_pending=3, slow_down x1")
		config := deviceConfig(pipeURL)
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, piped(t, Options{Faults: set}))
		begun := time.Now()
		token, err := awaitDevice(ctx, config, requestPair(ctx, t, config))
		if err != nil {
			t.Fatal(err)
		}
		// three times pending, one slow_down, which adds 5 s to what follows
		if took := time.Since(begun); took != 155*time.Second {
			t.Errorf("it took %v", took)
		}
		renewed, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
		if err != nil || renewed.AccessToken == token.AccessToken || time.Until(renewed.Expiry) != time.Hour {
			t.Errorf("refresh: %v", err)
		}
	})
}

func TestXOAuth2DeviceFlowEndsWithThePair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := deviceConfig(pipeURL)
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, piped(t, Options{AskConsent: true}))
		pair := requestPair(ctx, t, config)
		time.Sleep(time.Second) // or the last poll would come just when the pair ends
		if _, err := awaitDevice(ctx, config, pair); !errors.Is(err, context.DeadlineExceeded) || time.Until(pair.Expiry) > 0 {
			t.Error(err)
		}
	})
}

func TestTimeScaleMustBePositive(t *testing.T) {
	for _, scale := range []float64{-1, nan(), 1 / zero()} {
		if _, err := NewLWA(t.Context(), Options{TimeScale: scale}); err == nil {
			t.Errorf("%v was taken", scale)
		}
	}
}

func zero() float64 { return 0 }
func nan() float64  { return zero() / zero() }

func TestRealTimeIsScaledToo(t *testing.T) {
	s := start(t, Options{TimeScale: 18000}) // a token lives 200 ms
	tokens := loggedIn(t, s)
	if tokens.ExpiresIn != 1 {
		t.Errorf("expires_in %d", tokens.ExpiresIn)
	}
	status := func() int {
		return send(t, client(t, s), ask(t, s, tokens.AccessToken, "GET", "/ping", nil)).StatusCode
	}
	for begun := time.Now(); status() != http.StatusForbidden; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the token does not expire")
		}
	}
}
