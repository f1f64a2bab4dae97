package console

import (
	"net/http"
	"os"
	"time"

	"avsproxy/tokens"
)

// Status is the answer of /api/status: how things stand, without any secret.
type Status struct {
	Version     string             `json:"version"`
	PID         int                `json:"pid"`
	Sandbox     bool               `json:"sandbox"`
	Proxy       []string           `json:"proxy"`
	Console     string             `json:"console"`
	Routes      []Route            `json:"routes"`
	Credentials []CredentialStatus `json:"credentials"`
}

// CredentialStatus is how one credential stands.
type CredentialStatus struct {
	Name       string       `json:"name"`
	Grant      string       `json:"grant"`
	State      tokens.State `json:"state"`
	ExpiresAt  *time.Time   `json:"expires_at,omitempty"`
	LoggedInAt *time.Time   `json:"logged_in_at,omitempty"`
	RenewedAt  *time.Time   `json:"renewed_at,omitempty"`
	Scopes     []string     `json:"scopes,omitempty"`
	Renewable  bool         `json:"renewable"`
	Login      bool         `json:"login"` // a person can log in to it
	Problem    *Trouble     `json:"problem,omitempty"`
}

// Trouble is what is wrong with a credential and what to do about it.
type Trouble struct {
	Action tokens.Action `json:"action"`
	Code   string        `json:"code,omitempty"`
	Detail string        `json:"detail"`
	Hint   string        `json:"hint"`
}

func (c *Console) status(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, Status{
		Version: c.Version, PID: os.Getpid(), Sandbox: c.Sandbox,
		Proxy: c.Proxy, Console: c.Self, Routes: c.Routes, Credentials: c.credentials(),
	})
}

func (c *Console) credentials() []CredentialStatus {
	list := []CredentialStatus{}
	for _, credential := range c.Credentials {
		list = append(list, describe(credential))
	}
	return list
}

func describe(c Credential) CredentialStatus {
	return Describe(c.Source.Status(), c.Client != nil)
}

// Describe puts the status of a source into the form of the API.
func Describe(s tokens.Status, login bool) CredentialStatus {
	status := CredentialStatus{
		Name: s.Name, Grant: s.Kind, State: s.State, Scopes: s.Scopes, Renewable: s.Renewable, Login: login,
		ExpiresAt: instant(s.Expiry), LoggedInAt: instant(s.LoggedIn), RenewedAt: instant(s.Renewed),
	}
	switch {
	case s.Failure != nil:
		status.Problem = &Trouble{s.Failure.Action, s.Failure.Code, s.Failure.Error(), s.Failure.Hint}
	case s.Unsaved != nil:
		status.Problem = &Trouble{tokens.ActionConfig, "", "the login could not be saved: " + s.Unsaved.Error(), "make room or mend the folder; it serves from memory until then"}
	}
	return status
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
