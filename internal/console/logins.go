package console

import (
	"context"
	"errors"
	"net/http"
	"time"

	"avsproxy/internal/api"
	"avsproxy/tokens"
)

// Begun describes a login that waits for its person.
func (c *Console) Begun(credential Credential, login *tokens.Login) api.LoginBegun {
	begun := api.LoginBegun{ID: login.ID, Credential: login.Credential, ClientID: credential.Client.ID}
	if d := login.Device; d != nil {
		begun.Device = &api.DeviceCode{UserCode: d.UserCode, VerificationURL: d.VerificationURL, CompleteURL: d.CompleteURL, ExpiresAt: d.Expires}
		return begun
	}
	begun.AuthorizeURL, begun.RedirectURL, begun.Fingerprint = login.URL, credential.Client.RedirectURL, c.Fingerprint
	return begun
}

// awaitTimeout bounds one wait for the end of a login; who asked asks again.
const awaitTimeout = 30 * time.Second

func (c *Console) beginLogin(r *http.Request) (any, error) {
	query := r.URL.Query()
	credential, ok := c.find(query.Get("credential"))
	if !ok || credential.Client == nil {
		return nil, refuse(http.StatusNotFound, "", "this credential does not exist or needs no login", "see 'avsproxy status'")
	}
	by := query.Get("by")
	login, err := c.Begin(r.Context(), credential, by == "device" || by == "" && credential.Device)
	if err != nil {
		return nil, err
	}
	return c.Begun(credential, login), nil
}

// reload takes over a login that a command made beside the running proxy.
func (c *Console) reload(r *http.Request) (any, error) {
	credential, ok := c.find(r.URL.Query().Get("credential"))
	if !ok {
		return nil, refuse(http.StatusNotFound, "", "the running proxy has no such credential", "start it again with the present configuration")
	}
	return struct{}{}, credential.Source.Reload(r.Context())
}

func (c *Console) awaitLogin(r *http.Request) (any, error) {
	login := c.Logins.Find(r.PathValue("id"))
	if login == nil {
		return nil, &failure{http.StatusNotFound, api.Error{Action: tokens.ActionLogin, Message: "no such login is waiting", Hint: "start it again"}}
	}
	ctx, cancel := context.WithTimeout(r.Context(), awaitTimeout)
	defer cancel()
	_ = login.Wait(ctx) // it may end by the login or by our timeout: Done knows
	over, err := login.Done()
	answer := api.LoginEnded{Over: over, Lasting: over && login.Lasting()}
	if err != nil {
		answer.Problem = describe(err)
	}
	return answer, nil
}

// logout forgets the login of a credential; the command of that name hands it
// over, so that the running proxy stops using it at once.
func (c *Console) logout(r *http.Request) (any, error) {
	credential, ok := c.find(r.URL.Query().Get("credential"))
	if !ok {
		return nil, refuse(http.StatusNotFound, "", "no such credential", "see 'avsproxy status'")
	}
	err := credential.Source.Forget(r.Context())
	if errors.Is(err, tokens.ErrNoGrant) {
		return api.LogoutDone{}, nil
	}
	return api.LogoutDone{WasLoggedIn: err == nil}, err
}
