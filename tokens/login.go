package tokens

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// ErrUnknownState is the answer to a callback whose state belongs to no login
// that is waiting: a stray request or somebody else's. The waiting logins go on.
var ErrUnknownState = errors.New("this callback belongs to no login that is waiting")

const (
	loginLife = 10 * time.Minute // a login that nobody finishes by then is forgotten
	loginMost = 16               // logins remembered at once; the oldest makes room
)

// Logins runs logins by the authorization code grant: it makes the URL for the
// browser and takes the callback. One Logins serves all credentials; the state
// tells whose login a callback belongs to. The zero value is ready for use and
// safe for concurrent use.
type Logins struct {
	mu      sync.Mutex
	pending []*Login // oldest first, finished ones included
}

// A Login is one login on its way.
type Login struct {
	// ID names the login in pages and APIs. It is no secret and not the state.
	ID string
	// Credential is the name of what is logged in to.
	Credential string
	// URL is where the browser goes.
	URL string

	source   *Source
	client   *Client
	state    string
	verifier string
	started  time.Time

	taken bool // guarded by Logins.mu: a callback claimed it
	done  chan struct{}
	shown chan struct{} // closed when the page that tells the outcome was served
	once  sync.Once
	grant Grant
	err   error
}

// Begin starts a login to the credential of source.
func (l *Logins) Begin(source *Source, client *Client) *Login {
	login := &Login{
		ID:         rand.Text(),
		Credential: source.Name,
		source:     source,
		client:     client,
		state:      rand.Text() + rand.Text(), // 256 bits
		verifier:   oauth2.GenerateVerifier(),
		started:    time.Now(),
		done:       make(chan struct{}),
		shown:      make(chan struct{}),
	}
	login.URL = client.authURL(login.state, login.verifier)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetLocked()
	l.pending = append(l.pending, login)
	time.AfterFunc(loginLife, l.forget)
	return login
}

func (l *Logins) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetLocked()
}

// Find returns the login with that ID, or nil.
func (l *Logins) Find(id string) *Login {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, login := range l.pending {
		if login.ID == id {
			return login
		}
	}
	return nil
}

// Callback takes the query of a request to the redirect URI. The state is
// checked before anything else is looked at; with a wrong one the error is
// [ErrUnknownState] and nothing has happened. With the right one the login is
// over, well or not, and is returned; a repeated callback returns it as it ended.
func (l *Logins) Callback(ctx context.Context, query url.Values) (*Login, error) {
	login, first := l.claim(query.Get("state"))
	if login == nil {
		return nil, ErrUnknownState
	}
	if first {
		// The code is spent by the attempt, so a browser that hangs up must not end it.
		login.finish(context.WithoutCancel(ctx), query)
	}
	return login, login.Wait(ctx)
}

// claim finds a login by its state and marks it as taken.
func (l *Logins) claim(state string) (login *Login, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetLocked()
	for _, login := range l.pending {
		if sameSecret(login.state, state) {
			first = !login.taken
			login.taken = true
			return login, first
		}
	}
	return nil, false
}

func (l *Logins) forgetLocked() {
	keep := l.pending[:0]
	for i, login := range l.pending {
		crowded := len(l.pending)-i >= loginMost
		if time.Since(login.started) < loginLife && !crowded {
			keep = append(keep, login)
		} else if !login.taken {
			login.taken = true
			login.end(Grant{}, errLoginForgotten)
		}
	}
	clear(l.pending[len(keep):])
	l.pending = keep
}

var errLoginForgotten = errors.New("nobody finished this login within 10 minutes, or too many others were started")

func (login *Login) finish(ctx context.Context, query url.Values) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if code := query.Get("error"); code != "" {
		login.end(Grant{}, redirectError(code, query.Get("error_description")))
		return
	}
	if query.Get("code") == "" {
		login.end(Grant{}, errors.New("the callback had neither a code nor an error"))
		return
	}
	grant, err := login.client.exchange(ctx, query.Get("code"), login.verifier)
	if err == nil {
		err = login.source.Put(ctx, grant)
	}
	login.end(grant, err)
}

func (login *Login) end(grant Grant, err error) {
	login.grant, login.err = grant, err
	close(login.done)
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

// Shown notes that the person has seen how the login ended.
func (login *Login) Shown() { login.once.Do(func() { close(login.shown) }) }

// WaitShown returns when the outcome was shown, or when ctx ends: a browser may
// never ask for the page.
func (login *Login) WaitShown(ctx context.Context) {
	select {
	case <-login.shown:
	case <-ctx.Done():
	}
}

// Lasting reports whether a finished login can be renewed. Some clients get no
// refresh token (RFC 6749 section 5.1 makes it optional) and must log in again.
func (login *Login) Lasting() bool { return !login.grant.Refresh.IsZero() }

// redirectError explains the errors that come by redirect (RFC 6749 section
// 4.1.2.1). The description is the provider's, or a stranger's who knew the
// state; it is shown as text only and bounded.
func redirectError(code, description string) *Error {
	e := &Error{Action: ActionLogin, Code: printable(strings.ToLower(code)), Hint: "start the login again"}
	switch e.Code {
	case "access_denied":
		e.Say = "the login was cancelled"
	case "invalid_scope":
		return refusal(e.Code)
	default:
		e.Say = "the provider ended the login with " + e.Code
	}
	if text := sentence(description); text != "" {
		e.Err = errors.New(text)
	}
	return e
}

func sentence(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	return strings.ToValidUTF8(text[:min(len(text), 256)], "")
}
