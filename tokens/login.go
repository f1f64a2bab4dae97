package tokens

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// A Login is one login on its way.
type Login struct {
	// ID names the login in pages and APIs. It is no secret and not the state.
	ID string
	// Credential is the name of what is logged in to.
	Credential string
	// URL is where the browser goes; empty for device logins.
	URL string
	// Device is what the person types and where; nil for browser logins.
	Device *DeviceCode

	source   *Source
	client   *Client
	state    string // of browser logins, with the verifier
	shared   bool   // other replicas can end it
	verifier string
	started  time.Time
	life     time.Duration      // after which it is forgotten, its outcome included
	stop     context.CancelFunc // ends the polling of device logins

	taken atomic.Bool // somebody has claimed the right to end it
	done  chan struct{}
	seen  chan struct{} // closed when the page that tells the outcome was served
	once  sync.Once
	grant Grant
	err   error
}

func newLogin(source *Source, client *Client) *Login {
	return &Login{
		ID:         rand.Text(),
		Credential: source.Name,
		source:     source,
		client:     client,
		started:    time.Now(),
		life:       loginLife,
		stop:       func() {},
		done:       make(chan struct{}),
		seen:       make(chan struct{}),
	}
}

// take claims the right to end the login. It is given once.
func (login *Login) take() bool { return login.taken.CompareAndSwap(false, true) }

// end saves the grant, unless there is an error, and lets all go that wait for the end.
func (login *Login) end(ctx context.Context, grant Grant, err error) {
	if err == nil {
		err = login.source.SetGrant(ctx, grant)
	}
	login.grant, login.err = grant, err
	close(login.done)
}

// abandon ends a login that nobody has finished.
func (login *Login) abandon(why *Error) {
	if login.take() {
		login.stop()
		login.end(context.Background(), Grant{}, why)
	}
}

// Cancel ends a login that waits for a person. One that already has its response
// from the provider, or is over, is left alone.
func (login *Login) Cancel() {
	login.abandon(newError(ActionLogin, "the login was cancelled here", hintStartAgain))
}

// Wait returns when the login is over: nil = a grant is saved and in use.
func (login *Login) Wait(ctx context.Context) error {
	select {
	case <-login.done:
		return login.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Done reports whether the login is over, and how.
func (login *Login) Done() (over bool, err error) {
	select {
	case <-login.done:
		return true, login.err
	default:
		return false, nil
	}
}

// MarkSeen notes that the person has seen how the login ended.
func (login *Login) MarkSeen() { login.once.Do(func() { close(login.seen) }) }

// AwaitSeen returns when the outcome was seen, or when ctx ends: a browser may
// never ask for the page.
func (login *Login) AwaitSeen(ctx context.Context) {
	select {
	case <-login.seen:
	case <-ctx.Done():
	}
}

// HasRefreshToken reports whether the login is over and what it gave can be renewed.
// Some clients get no refresh token (RFC 6749 section 5.1 makes it optional) and
// must log in again.
func (login *Login) HasRefreshToken() bool {
	over, _ := login.Done()
	return over && !login.grant.Refresh.IsZero()
}

// Format hides the state and the verifier, which fmt would show as they are.
func (login *Login) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "login %s to %s", login.ID, login.Credential)
}

func (login *Login) finish(asked *url.URL) {
	ctx, cancel := runningTimeout(responseTimeout) // there is one response to a code
	defer cancel()
	grant, err := login.redeem(ctx, asked)
	login.source.unread().note(err)
	if err != nil && !grant.Refresh.IsZero() { // the response broke off behind it
		grant, err = login.prove(ctx, grant)
	}
	login.end(ctx, grant, err)
}

func (login *Login) redeem(ctx context.Context, asked *url.URL) (Grant, error) {
	query := asked.Query()
	if err := login.client.checkSender(asked); err != nil {
		return Grant{}, err
	}
	if code := query.Get("error"); code != "" {
		return Grant{}, redirectError(code, query.Get("error_description"))
	}
	if query.Get("code") == "" {
		return Grant{}, newError(ActionLogin, "the callback had neither a code nor an error", hintStartAgain)
	}
	return login.client.exchange(ctx, query.Get("code"), login.verifier)
}
