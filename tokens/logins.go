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

// ErrUnknownState is the error for a callback whose state belongs to no login
// that is waiting: a stray request or somebody else's. The waiting logins go on.
var ErrUnknownState = errors.New("this callback belongs to no login that is waiting")

const (
	loginLife = 10 * time.Minute // a login that nobody finishes by then is forgotten
	loginMost = 16               // logins remembered at once; the oldest makes room
)

// Logins runs logins by the authorization code grant, for which it makes the URL
// for the browser and takes the callback, and by the device grant. One Logins
// serves all credentials; the state tells whose login a callback belongs to. The
// zero value is ready for use and safe for concurrent use.
type Logins struct {
	// Shared lets other replicas end the logins that were begun here; nil = it ends here.
	Shared *SharedStore
	// Credential finds what another replica has begun a login to; needed with Shared. A nil
	// source = there is none of that name.
	Credential func(name string) (*Source, *Client)

	mu      sync.Mutex
	pending []*Login // oldest first, finished ones included
}

// Format keeps the states from being printed.
func (l *Logins) Format(f fmt.State, _ rune) { fmt.Fprint(f, "logins") }

// Begin starts a login to the credential of source by browser. Who begins one
// while another of the same client and redirect URL waits, and has more than half
// of its ten minutes left, gets that one: tabs and terminals share a login. The
// error is an [*Error]: an endpoint is not known, or could not be discovered.
func (l *Logins) Begin(ctx context.Context, source *Source, client *Client) (*Login, error) {
	login := newLogin(source, client)
	login.state = rand.Text() + rand.Text() // 256 bits
	login.verifier = oauth2.GenerateVerifier()
	var err error
	if login.URL, err = client.authURL(ctx, login.state, login.verifier); err != nil {
		return nil, err
	}
	if l.Shared != nil && l.find(login.mayJoin) == nil {
		login.shared = l.Shared.shareLogin(login) == nil // else it ends here
	}
	joined, isNew := l.join(login)
	if !isNew && login.shared {
		_, _ = l.Shared.takeLogin(Secret(login.state)) // somebody was faster
	}
	return joined, nil
}

// BeginDevice starts a login to the credential of source on another device: the
// person types a code there (RFC 8628; [Client.CodeBasedLinking] for Amazon's
// dialect). Polling goes on by itself, also after the end of ctx, until it has
// tokens or a refusal, the code expires, or [Login.Cancel]. A device login that
// waits is joined as in [Logins.Begin], up to half of its life. The error is an [*Error].
func (l *Logins) BeginDevice(ctx context.Context, source *Source, client *Client) (*Login, error) {
	login := newLogin(source, client)
	login.Device = &DeviceCode{}
	if waiting := l.find(login.mayJoin); waiting != nil {
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

// join remembers a login, unless one of its kind waits: then that one is returned.
func (l *Logins) join(login *Login) (joined *Login, isNew bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.pending, login.mayJoin); i >= 0 {
		return l.pending[i], false
	}
	l.makeRoomLocked()
	l.pending = append(l.pending, login)
	time.AfterFunc(login.life, l.forget)
	return login, true
}

// mayJoin reports whether another login is of the same kind, and has time left.
func (login *Login) mayJoin(other *Login) bool {
	return other.Credential == login.Credential && (other.Device == nil) == (login.Device == nil) &&
		other.client.ID == login.client.ID && other.client.RedirectURL == login.client.RedirectURL &&
		!other.taken.Load() && time.Since(other.started) < other.life/2
}

// find returns the oldest login for which isIt is true, or nil.
func (l *Logins) find(isIt func(*Login) bool) *Login {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.pending, isIt); i >= 0 {
		return l.pending[i]
	}
	return nil
}

// forget drops the logins that are too old, their outcomes included.
func (l *Logins) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = slices.DeleteFunc(l.pending, func(login *Login) bool {
		old := time.Since(login.started) >= login.life
		if old {
			login.abandon(unfinished(login.client))
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
	i := max(0, slices.IndexFunc(l.pending, func(login *Login) bool { over, _ := login.Done(); return over }))
	l.pending[i].abandon(newError(ActionLogin, "too many other logins were started", hintStartAgain))
	l.pending = slices.Delete(l.pending, i, i+1)
}

// Find returns the login with that ID, or nil.
func (l *Logins) Find(id string) *Login {
	return l.find(func(login *Login) bool { return login.ID == id })
}

// Callback takes a request to the redirect URI, as the URL that the browser asked
// for. The state is checked before anything else is looked at; with a wrong one the
// error is [ErrUnknownState] and nothing has happened. With the right one the login
// is over, well or not, and is returned; a repeated callback returns it as it ended.
func (l *Logins) Callback(ctx context.Context, asked *url.URL) (*Login, error) {
	l.forget()
	state := Secret(asked.Query().Get("state"))
	login := l.find(func(login *Login) bool { return login.Device == nil && Secret(login.state).Equal(state) })
	if login == nil {
		login = l.takeShared(state)
	}
	if login == nil {
		return nil, ErrUnknownState
	}
	switch taken := login.take(); {
	case taken && l.endedElsewhere(login):
		login.end(ctx, Grant{}, newError(ActionLogin, "this login was completed at another avsproxy that shares the store", hintStartAgain))
	case taken:
		// The code is spent by the attempt, so a browser that hangs up must not end it.
		login.finish(asked)
	}
	return login, login.Wait(ctx)
}
