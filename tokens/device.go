package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// deviceKind is a grant's Kind after a device login, and what Login with Amazon
// calls the grant itself.
const deviceKind = "device_code"

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// A DeviceCode is what a person needs for a device login (RFC 8628 section 3.3).
type DeviceCode struct {
	UserCode        string
	VerificationURL string // where to type the code
	CompleteURL     string // the same with the code in it, for a QR code; may be empty
	// Expires is when the codes end, and the login with them.
	Expires time.Time
	// Interval is the pause between polls, at the start.
	Interval time.Duration

	secret string // the device code
}

// Format keeps the device code from being printed; whoever has it gets the tokens.
func (d DeviceCode) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "code %s for %s", d.UserCode, d.VerificationURL)
}

const (
	deviceLifeMost = time.Hour
	deviceAfter    = time.Minute // for which the outcome is remembered after the codes' end
)

// readDeviceCode reads the response to a request that was sent then.
func readDeviceCode(r *response, sent time.Time) (*DeviceCode, error) {
	if r.status/100 != 2 || r.nearestCode() != "" {
		return nil, loginError(r.refusal())
	}
	code := &DeviceCode{
		UserCode:        r.str("user_code"),
		VerificationURL: cmp.Or(r.str("verification_uri"), r.str("verification_url")), // the latter is Google's
		CompleteURL:     r.str("verification_uri_complete"),
		Expires:         sent.Add(seconds(r.str("expires_in"), loginLife, time.Second, deviceLifeMost)),
		Interval:        seconds(r.str("interval"), pollLeast, pollLeast, deviceLifeMost),
		secret:          r.str("device_code"),
	}
	if !code.usable() {
		return nil, loginError(unusableResponse(errors.New("it names no code that could be shown (a captive portal?)")))
	}
	if !safeURL(code.CompleteURL) {
		code.CompleteURL = ""
	}
	return code, nil
}

// usable reports whether there is all that a login needs, and nothing that would
// play tricks on a terminal.
func (d *DeviceCode) usable() bool {
	return d.secret != "" && d.UserCode != "" && len(d.UserCode) <= 64 &&
		!strings.ContainsFunc(d.UserCode, notVSCHAR) && safeURL(d.VerificationURL)
}

const (
	pollLeast = 5 * time.Second
	pollMost  = time.Minute // beyond which no slow_down and no trouble stretches the pause
)

// poll carries a device login to its end.
func (login *Login) poll(ctx context.Context) {
	defer login.stop()
	grant, err := login.await(ctx)
	if !login.take() {
		return // cancelled, or forgotten
	}
	if err == nil {
		call, cancel := runningTimeout(responseTimeout) // the code may expire meanwhile
		defer cancel()
		grant, err = login.prove(call, grant)
	}
	login.end(ctx, grant, err)
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

// pollOnce waits for its response also beyond the life of the code, or a cancel: it
// may have the tokens, which are given once.
func (login *Login) pollOnce() (Grant, *Error) {
	call, cancel := runningTimeout(responseTimeout)
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

// prove renews what a login gave at once and throws the first access token away, to
// find out while the person is there whether the login will last. Of a response with
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
