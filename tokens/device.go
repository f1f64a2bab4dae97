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

// BeginDevice starts a login to the credential of source on another device: the
// person types a code there (RFC 8628; [Client.CodeBasedLinking] for Amazon's
// dialect). Polling goes on by itself, also after the end of ctx, until it has
// tokens or a refusal, the code expires, or [Login.Cancel]. A device login that
// waits is joined as in [Logins.Begin], up to half of its life. The error is an [*Error].
func (l *Logins) BeginDevice(ctx context.Context, source *Source, client *Client) (*Login, error) {
	login := newLogin(source, client)
	login.Device = &DeviceCode{}
	if waiting := l.waiting(login); waiting != nil {
		return waiting, nil
	}
	device, err := client.deviceCode(ctx)
	if err != nil {
		return nil, err
	}
	login.Device, login.life = device, time.Until(device.Expires)+deviceAfter
	polling, stop := context.WithDeadline(context.WithoutCancel(ctx), device.Expires)
	login.stop = stop
	joined, isNew := l.join(login)
	if !isNew {
		stop() // somebody was faster; our code ends unused
		return joined, nil
	}
	go login.poll(polling)
	return login, nil
}

func (l *Logins) waiting(login *Login) *Login {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waitingLocked(login)
}

// deviceCode asks for a pair of codes (RFC 8628 section 3.1). x/oauth2's own call
// for that can neither be cancelled nor authenticate the client.
func (c *Client) deviceCode(ctx context.Context) (*DeviceCode, error) {
	for _, endpoint := range []string{deviceURL, tokenURL} {
		if _, err := c.endpoint(ctx, endpoint); err != nil {
			return nil, err
		}
	}
	form := c.form(c.AuthParams)
	if c.CodeBasedLinking {
		form.Set("response_type", deviceKind)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sent := time.Now()
	answer, err := c.call(ctx, request{endpoint: deviceURL, form: form, public: c.CodeBasedLinking})
	if err != nil {
		return nil, loginError(asError(err))
	}
	if code := answer.word(); c.CodeBasedLinking && code == "unauthorized_client" {
		return nil, notLinkable(code)
	}
	return readDeviceCode(answer, sent)
}

// readDeviceCode reads the answer to a request that was sent then.
func readDeviceCode(a *answer, sent time.Time) (*DeviceCode, error) {
	if a.status/100 != 2 || a.word() != "" {
		return nil, loginError(a.refusal())
	}
	code := &DeviceCode{
		UserCode:        a.str("user_code"),
		VerificationURL: cmp.Or(a.str("verification_uri"), a.str("verification_url")), // the latter is Google's
		CompleteURL:     a.str("verification_uri_complete"),
		Expires:         sent.Add(seconds(a.str("expires_in"), loginLife, time.Second, deviceLifeMost)),
		Interval:        seconds(a.str("interval"), pollLeast, pollLeast, deviceLifeMost),
		secret:          a.str("device_code"),
	}
	if !code.usable() {
		return nil, loginError(notAnAnswer(errors.New("it names no code that could be shown (a captive portal?)")))
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
