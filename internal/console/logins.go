package console

import (
	"context"
	"errors"
	"net/http"
	"time"

	"avsproxy/tokens"
)

// LoginBegun is the answer to POST /api/logins, by which a command hands a login
// over to the running console.
type LoginBegun struct {
	ID           string      `json:"id"`
	Credential   string      `json:"credential"`
	ClientID     string      `json:"client_id"`
	AuthorizeURL string      `json:"authorize_url,omitempty"`
	RedirectURL  string      `json:"redirect_url,omitempty"`
	Fingerprint  string      `json:"fingerprint,omitempty"`
	Device       *DeviceCode `json:"device,omitempty"` // instead of the three above
}

// A DeviceCode is what to type in on another device (RFC 8628 section 3.2).
type DeviceCode struct {
	UserCode        string    `json:"user_code"`
	VerificationURL string    `json:"verification_url"`
	CompleteURL     string    `json:"complete_url,omitempty"` // with the code in it
	ExpiresAt       time.Time `json:"expires_at"`
}

// Begun describes a login that waits for its person.
func (c *Console) Begun(credential Credential, login *tokens.Login) LoginBegun {
	begun := LoginBegun{ID: login.ID, Credential: login.Credential, ClientID: credential.Client.ID}
	if d := login.Device; d != nil {
		begun.Device = &DeviceCode{d.UserCode, d.VerificationURL, d.CompleteURL, d.Expires}
		return begun
	}
	begun.AuthorizeURL, begun.RedirectURL, begun.Fingerprint = login.URL, credential.Client.RedirectURL, c.Fingerprint
	return begun
}

// LoginEnded is the answer to GET /api/logins/ID.
type LoginEnded struct {
	Over    bool     `json:"over"`
	Lasting bool     `json:"lasting"`
	Problem *Trouble `json:"problem,omitempty"`
}

// awaitPatience bounds one wait for the end of a login; who asked asks again.
const awaitPatience = 30 * time.Second

func (c *Console) beginLogin(w http.ResponseWriter, r *http.Request) {
	credential, ok := c.find(r.URL.Query().Get("credential"))
	if !ok || credential.Client == nil {
		writeJSON(w, http.StatusNotFound, Trouble{tokens.ActionConfig, "", "this credential does not exist or needs no login", "see 'avsproxy status'"})
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
		writeJSON(w, http.StatusNotFound, Trouble{tokens.ActionConfig, "", "the running proxy has no such credential", "start it again with the present configuration"})
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
		writeJSON(w, http.StatusNotFound, Trouble{tokens.ActionLogin, "", "no such login is waiting", "start it again"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), awaitPatience)
	defer cancel()
	_ = login.Wait(ctx) // it may end by the login or by our patience: Done knows
	over, err := login.Done()
	answer := LoginEnded{Over: over}
	if over {
		answer.Lasting = login.Lasting()
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
		return &Trouble{action, e.Code, e.Error(), e.Hint}
	}
	return &Trouble{tokens.ActionConfig, "", err.Error(), "mend this and log in again"}
}

// logout forgets the login of a credential; the command of that name hands it
// over, so that the running proxy stops using it at once.
func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	credential, ok := c.find(r.URL.Query().Get("credential"))
	if !ok {
		writeJSON(w, http.StatusNotFound, Trouble{tokens.ActionConfig, "", "no such credential", "see 'avsproxy status'"})
		return
	}
	err := credential.Source.Forget(r.Context())
	if err != nil && !errors.Is(err, tokens.ErrNoGrant) {
		writeJSON(w, http.StatusInternalServerError, trouble(err))
		return
	}
	writeJSON(w, http.StatusOK, LogoutDone{WasLoggedIn: err == nil})
}

// LogoutDone is the answer to DELETE /api/login.
type LogoutDone struct {
	WasLoggedIn bool `json:"was_logged_in"`
}
