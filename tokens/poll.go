package tokens

import (
	"context"
	"net/url"
	"time"
)

const (
	pollLeast = 5 * time.Second
	pollMost  = time.Minute // beyond which no slow_down and no trouble stretches the pause
)

// poll carries a device login to its end.
func (login *Login) poll(ctx context.Context) {
	defer login.stop()
	first, err := login.await(ctx)
	if !login.take() {
		return // cancelled, or forgotten
	}
	if err != nil {
		login.end(Grant{}, err)
		return
	}
	call, cancel := patience(answerPatience) // the code may expire meanwhile
	defer cancel()
	grant, err := login.prove(call, first)
	if err == nil {
		err = login.source.SetGrant(ctx, grant)
	}
	login.end(grant, err)
}

// await polls until there are tokens or a refusal, or ctx ends. The first poll
// comes at once, as Amazon's own devices do it.
func (login *Login) await(ctx context.Context) (Grant, error) {
	pace := pace{interval: login.Device.Interval, doubles: login.client.CodeBasedLinking}
	expired := deviceRefusal("expired_token")
	for {
		grant, err := login.pollOnce()
		if err == nil || !grant.Refresh.IsZero() {
			return grant, nil // the proof gets a whole access token
		}
		if ctx.Err() != nil {
			return Grant{}, expired
		}
		if err.Action == ActionLogin || err.Action == ActionConfig {
			return Grant{}, err
		}
		pause := pace.next(err)
		expired.Err = nil
		if pace.failures > 0 {
			expired.Err = err // the person may have done their part
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return Grant{}, expired
		}
	}
}

// pollOnce waits for its answer also beyond the life of the code, or a cancel: it
// may have the tokens, which are given once.
func (login *Login) pollOnce() (Grant, *Error) {
	call, cancel := patience(answerPatience)
	defer cancel()
	grant, err := login.client.redeemDevice(call, login.Device)
	if err != nil {
		login.source.unread().note(err)
	}
	return grant, err
}

// A pace decides on the pauses between polls (RFC 8628 section 3.5).
type pace struct {
	interval time.Duration
	doubles  bool // slow_down doubles the interval, as in Amazon's SDK, not 5 s more
	failures int  // in a row, of the network or the provider
}

func (p *pace) next(err *Error) time.Duration {
	most := max(p.interval, pollMost) // a provider may ask for more itself
	switch {
	case err.Code == "slow_down" && p.doubles:
		p.interval = min(2*p.interval, most)
	case err.Code == "slow_down":
		p.interval = min(p.interval+5*time.Second, most)
	case err.Code != "authorization_pending":
		p.failures++
		return max(min(p.interval<<min(p.failures, 5), most), err.RetryAfter)
	}
	p.failures = 0
	return p.interval
}

// redeemDevice asks once whether the person is done.
func (c *Client) redeemDevice(ctx context.Context, device *DeviceCode) (Grant, *Error) {
	form := url.Values{"grant_type": {deviceGrant}, "device_code": {device.secret}}
	if c.CodeBasedLinking { // the user code stands for client_id
		form.Set("grant_type", deviceKind)
		form.Set("user_code", device.UserCode)
	}
	answer, err := c.call(ctx, request{endpoint: tokenURL, form: form, public: c.CodeBasedLinking, anonymous: c.CodeBasedLinking})
	if err != nil {
		return Grant{}, loginError(asError(err))
	}
	// The code of an answer to a poll counts whatever the status: 400 by the RFC, but
	// 200 at GitHub, and 403 and 428 at Google.
	if code := answer.code(); code != "" && !answer.passing() && !answer.issues() {
		return Grant{}, deviceRefusal(code)
	}
	grant, err := answer.grant(c.newGrant(deviceKind), c.Scopes)
	if err != nil {
		return grant, loginError(asError(err))
	}
	return grant, nil
}

// prove renews what a login gave at once and throws the first access token away, to
// find out while the person is there whether the login will last. Of an answer with
// nothing but a new refresh token that one is taken.
func (login *Login) prove(ctx context.Context, first Grant) (Grant, error) {
	if first.Refresh.IsZero() {
		return first, nil // legal: RFC 6749 section 5.1
	}
	renewed, err := login.client.Refresh(ctx, first)
	if err == nil {
		return renewed, nil
	}
	login.source.unread().note(err)
	e := asError(err)
	switch {
	case renewed.Refresh != first.Refresh:
		return renewed, nil
	case e.Action == ActionRetry || e.Action == ActionWait:
		first.PendingSince = wallNow() // the provider may have taken it
		return first, nil              // a passing fault proves nothing, and the login may be good
	case e.Code == "invalid_request" && login.client.CodeBasedLinking:
		return Grant{}, notLinkable(e.Code)
	case e.Action == ActionLogin:
		e.Message = "the provider does not accept the refresh token that it gave a moment ago"
		e.Hint = "start the login again; should that fail too, check the type of the client"
	}
	return Grant{}, e
}

// notLinkable is what a client gets at Amazon that is not for devices.
func notLinkable(code string) *Error {
	e := newError(ActionConfig, "client_id is not enabled for code-based linking",
		"take the client ID from 'Other devices and platforms' in the product's security profile")
	e.Code = code
	return e
}
