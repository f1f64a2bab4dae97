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
func (c *Console) Begun(credential Credential, login *tokens.Login) LoginBegun {
	begun := LoginBegun{ID: login.ID, Credential: login.Credential, ClientID: credential.Client.ID}
	if d := login.Device; d != nil {
		begun.Device = &api.DeviceCode{UserCode: d.UserCode, VerificationURL: d.VerificationURL, CompleteURL: d.CompleteURL, ExpiresAt: d.Expires}
		return begun
	}
	begun.AuthorizeURL, begun.RedirectURL, begun.Fingerprint = login.URL, credential.Client.RedirectURL, c.Fingerprint
	return begun
}

// awaitPatience bounds one wait for the end of a login; who asked asks again.
const awaitPatience = 30 * time.Second

func (c *Console) beginLogin(w http.ResponseWriter, r *http.Request) {
	credential, ok := c.find(r.URL.Query().Get("credential"))
	if !ok || credential.Client == nil {
		writeJSON(w, http.StatusNotFound, Trouble{Action: tokens.ActionConfig, Detail: "this credential does not exist or needs no login", Hint: "see 'avsproxy status'"})
		return
	}
	by := r.URL.Query().Get("by")
	login, err := c.Begin(r.Context(), credential, by == "device" || by == "" && credential.Device)
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, trouble(err))
		return
	}
	writeJSON(w, http.StatusCreated, c.Begun(credential, login))
}

// reload takes over a login that a command made beside the running proxy.
func (c *Console) reload(w http.ResponseWriter, r *http.Request) {
	credential, ok := c.find(r.URL.Query().Get("credential"))
	if !ok {
		writeJSON(w, http.StatusNotFound, Trouble{Action: tokens.ActionConfig, Detail: "the running proxy has no such credential", Hint: "start it again with the present configuration"})
		return
	}
	if err := credential.Source.Reload(r.Context()); err != nil {
		writeJSON(w, http.StatusInternalServerError, trouble(err))
		return
	}
	writeJSON(w, http.StatusOK, struct{}{})
}

func (c *Console) awaitLogin(w http.ResponseWriter, r *http.Request) {
	login := c.Logins.Find(r.PathValue("id"))
	if login == nil {
		writeJSON(w, http.StatusNotFound, Trouble{Action: tokens.ActionLogin, Detail: "no such login is waiting", Hint: "start it again"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), awaitPatience)
	defer cancel()
	_ = login.Wait(ctx) // it may end by the login or by our patience: Done knows
	over, err := login.Done()
	answer := LoginEnded{Over: over}
	if over {
		answer.Lasting = login.HasRefreshToken()
	}
	if err != nil {
		answer.Problem = trouble(err)
	}
	writeJSON(w, http.StatusOK, answer)
}

func trouble(err error) *Trouble {
	var e *tokens.Error
	if errors.As(err, &e) {
		action := e.Action
		if e.NeedsLogin() {
			action = tokens.ActionLogin
		}
		return &Trouble{Action: action, Code: e.Code, Detail: e.Error(), Hint: e.Hint}
	}
	return &Trouble{Action: tokens.ActionConfig, Detail: err.Error(), Hint: "mend this and log in again"}
}

// logout forgets the login of a credential; the command of that name hands it
// over, so that the running proxy stops using it at once.
func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	credential, ok := c.find(r.URL.Query().Get("credential"))
	if !ok {
		writeJSON(w, http.StatusNotFound, Trouble{Action: tokens.ActionConfig, Detail: "no such credential", Hint: "see 'avsproxy status'"})
		return
	}
	err := credential.Source.Logout(r.Context())
	if err != nil && !errors.Is(err, tokens.ErrNoGrant) {
		writeJSON(w, http.StatusInternalServerError, trouble(err))
		return
	}
	writeJSON(w, http.StatusOK, LogoutDone{WasLoggedIn: err == nil})
}
