package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// A Remote takes live access tokens from the avsproxy that owns the grant: it never has the
// refresh token. It is safe for concurrent use.
type Remote struct {
	URL        string       // of the owner's share, without a path
	Credential string       // its name there
	HTTP       *http.Client // proves who we are, by certificate or unix socket

	mu     sync.Mutex
	pushed Grant // what the owner told of by itself, and nobody has taken yet
}

// A RemoteToken is what an owner answers with.
type RemoteToken struct {
	Access    string  `json:"access_token"`
	ExpiresIn float64 `json:"expires_in,omitempty"` // seconds, whatever the clocks say; 0 = it does not end
}

// A RemoteError is what an owner answers with where it has no token.
type RemoteError struct {
	Action     Action  `json:"action"`
	Code       string  `json:"code,omitempty"`
	Message    string  `json:"detail"`
	Hint       string  `json:"hint"`
	RetryAfter float64 `json:"retry_after,omitempty"` // seconds
}

// RemoteWait is for how long an owner holds a question for the next token, and RemotePath is
// where it answers, with the credential's name behind it.
const (
	RemoteWait = 50 * time.Second
	RemotePath = "/v1/tokens/"
)

// Renew asks the owner for its present token; it is for [Source.Renew]. A token that was refused
// while it should live is refused at the owner, too, so that it is renewed for all.
func (r *Remote) Renew(ctx context.Context, old Grant) (Grant, error) {
	if pushed := r.take(); pushed.live(wallNow()) && pushed.Access != old.Access {
		return pushed, nil
	}
	method, query := http.MethodGet, ""
	if now := wallNow(); old.live(now) && !old.due(now) {
		method, query = http.MethodPost, "?rejected="+Fingerprint(old.Access)
	}
	grant, err := r.ask(ctx, method, query)
	if err == nil && grant.Access == "" {
		err = unusableResponse(errors.New("it has no token"))
	}
	return grant, err
}

// Matches reports whether a stored grant came from this very owner; it is for [Source.Matches].
func (r *Remote) Matches(grant Grant) bool { return grant.Kind == "remote" && grant.Issuer == r.URL }

// Follow hears of each new token of the owner's, and has source take it, until ctx ends. Without it
// a token is renewed when it is due, or was refused here.
func (r *Remote) Follow(ctx context.Context, source *Source) {
	for wait := time.Second; ctx.Err() == nil; {
		present := source.presentFingerprint()
		grant, err := r.ask(ctx, http.MethodGet, "?not="+present)
		switch {
		case err != nil:
			wait = min(2*wait, time.Minute)
		case grant.Access == "" || Fingerprint(grant.Access) == present:
			wait = time.Second
			continue // the owner let us wait
		default:
			wait = time.Second
			r.mu.Lock()
			r.pushed = grant
			r.mu.Unlock()
			source.TakeNew()
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (r *Remote) take() Grant {
	r.mu.Lock()
	defer r.mu.Unlock()
	pushed := r.pushed
	r.pushed = Grant{}
	return pushed
}

// ask returns what the owner has; a grant without a token = it has none but the one that is known.
func (r *Remote) ask(ctx context.Context, method, query string) (Grant, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.URL+RemotePath+url.PathEscape(r.Credential)+query, nil)
	if err != nil {
		return Grant{}, newError(ActionConfig, "the URL of the avsproxy that owns the grant cannot be used", hintConfig)
	}
	resp, err := r.HTTP.Do(req)
	if err != nil {
		return Grant{}, r.away(plainCause(err))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, grantMaxBytes))
	switch {
	case err != nil:
		return Grant{}, r.away(plainCause(err))
	case resp.StatusCode == http.StatusNoContent:
		return Grant{}, nil
	case resp.StatusCode != http.StatusOK:
		return Grant{}, r.refusal(resp.StatusCode, text)
	}
	var token RemoteToken
	if json.Unmarshal(text, &token) != nil || token.Access == "" {
		return Grant{}, r.away(errors.New("its answer is none"))
	}
	now := wallNow()
	grant := Grant{Kind: "remote", Issuer: r.URL, Access: Secret(token.Access), Renewed: now, LoggedIn: now}
	if token.ExpiresIn != 0 {
		grant.Expiry = now.Add(time.Duration(token.ExpiresIn * float64(time.Second)))
	}
	return grant, nil
}

func (r *Remote) away(cause error) *Error {
	return newError(ActionRetry, "the avsproxy that owns the grant cannot be asked", "see that it runs, and url of the credential; the present token serves to its end").because(cause)
}

func (r *Remote) refusal(status int, text []byte) *Error {
	var said RemoteError
	if json.Unmarshal(text, &said) != nil || said.Message == "" {
		return r.away(fmt.Errorf("it answers with %d", status))
	}
	e := newError(said.Action, "the avsproxy that owns the grant: "+said.Message, said.Hint)
	e.Code, e.RetryAfter = said.Code, time.Duration(said.RetryAfter*float64(time.Second))
	if said.Action == ActionLogin {
		e.Hint = "log in there; this one takes the token by itself then"
	}
	return e
}
