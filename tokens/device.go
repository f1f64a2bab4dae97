package tokens

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
	address, err := c.endpoint(ctx, "device_url")
	if err != nil {
		return nil, err
	}
	if _, err := c.endpoint(ctx, "token_url"); err != nil {
		return nil, err
	}
	form := c.form(c.AuthParams)
	if c.CodeBasedLinking {
		form.Set("response_type", deviceKind)
	}
	sent := time.Now()
	post := func() (*answer, error) {
		resp, err := c.post(ctx, address, maps.Clone(form), c.CodeBasedLinking)
		if err != nil {
			return nil, err
		}
		return readAnswer(resp), nil
	}
	first, err := post()
	if err != nil {
		return nil, loginError(asError(err))
	}
	answer, err := c.orInHeader(first, post)
	if err != nil {
		return nil, loginError(asError(err))
	}
	return c.readDeviceCode(answer, sent)
}

func (c *Client) readDeviceCode(a *answer, sent time.Time) (*DeviceCode, error) {
	if a.status/100 != 2 || a.word() != "" {
		e := loginError(c.refusal(a))
		if c.CodeBasedLinking && e.Code == "unauthorized_client" {
			e = notLinkable(e.Code)
		}
		return nil, e
	}
	code := deviceAnswer{
		DeviceCode: a.str("device_code"), UserCode: a.str("user_code"), CompleteURI: a.str("verification_uri_complete"),
		URI:       cmp.Or(a.str("verification_uri"), a.str("verification_url")), // the latter is Google's
		ExpiresIn: json.Number(a.str("expires_in")), Interval: json.Number(a.str("interval")),
	}
	if !code.usable() {
		return nil, loginError(notAnAnswer(errors.New("it names no code that could be shown (a captive portal?)")))
	}
	return code.code(sent), nil
}

// A deviceAnswer is RFC 8628's (section 3.2). The type that x/oauth2 has for it
// panics at null and takes no number in quotes.
type deviceAnswer struct {
	DeviceCode, UserCode, URI, CompleteURI string
	ExpiresIn, Interval                    json.Number
}

// usable reports whether there is all that a login needs, and nothing that would
// play tricks on a terminal.
func (a *deviceAnswer) usable() bool {
	return a.DeviceCode != "" && a.UserCode != "" && len(a.UserCode) <= 64 &&
		!strings.ContainsFunc(a.UserCode, notVSCHAR) && safeURL(a.URI)
}

func (a *deviceAnswer) code(sent time.Time) *DeviceCode {
	code := &DeviceCode{
		UserCode: a.UserCode, VerificationURL: a.URI, secret: a.DeviceCode,
		Expires:  sent.Add(seconds(a.ExpiresIn, loginLife, time.Second, deviceLifeMost)),
		Interval: seconds(a.Interval, pollLeast, pollLeast, deviceLifeMost),
	}
	if safeURL(a.CompleteURI) {
		code.CompleteURL = a.CompleteURI
	}
	return code
}
