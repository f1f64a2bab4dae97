package tokens

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
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

// Format keeps the states from being printed.
func (l *Logins) Format(f fmt.State, _ rune) { fmt.Fprint(f, "logins") }

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
	l.makeRoomLocked()
	l.pending = append(l.pending, login)
	time.AfterFunc(loginLife, l.forget)
	return login
}

// forget drops the logins that are too old, their outcomes included.
func (l *Logins) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = slices.DeleteFunc(l.pending, func(login *Login) bool {
		old := time.Since(login.started) >= loginLife
		if old {
			login.abandonLocked()
		}
		return old
	})
}

// makeRoomLocked drops one login where there are too many: one that is over, if
// there is any, else the oldest.
func (l *Logins) makeRoomLocked() {
	if len(l.pending) < loginMost {
		return
	}
	i := max(0, slices.IndexFunc(l.pending, func(login *Login) bool { return login.taken }))
	l.pending[i].abandonLocked()
	l.pending = slices.Delete(l.pending, i, i+1)
}

// abandonLocked ends a login that no callback came for.
func (login *Login) abandonLocked() {
	if !login.taken {
		login.taken = true
		login.end(Grant{}, &Error{
			Action: ActionLogin, Hint: "start the login again",
			Say: "nobody finished this login within 10 minutes, or too many others were started",
		})
	}
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
	l.forget()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, login := range l.pending {
		if sameSecret(login.state, state) {
			first = !login.taken
			login.taken = true
			return login, first
		}
	}
	return nil, false
}

func (login *Login) finish(ctx context.Context, query url.Values) {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout) // the call is bounded by itself; saving needs time after it
	defer cancel()
	if code := query.Get("error"); code != "" {
		login.end(Grant{}, redirectError(code, query.Get("error_description")))
		return
	}
	if query.Get("code") == "" {
		login.end(Grant{}, &Error{Action: ActionLogin, Say: "the callback had neither a code nor an error", Hint: "start the login again"})
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

// Lasting reports whether the login is over and what it gave can be renewed.
// Some clients get no refresh token (RFC 6749 section 5.1 makes it optional) and
// must log in again.
func (login *Login) Lasting() bool {
	over, _ := login.Done()
	return over && !login.grant.Refresh.IsZero()
}

// Format keeps the state and the verifier from being printed: fmt shows what is
// in unexported fields as it is.
func (login *Login) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "login %s to %s", login.ID, login.Credential)
}
