package console

import (
	"net/http"
	"os"
	"strings"
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
	Try         string             `json:"try,omitempty"` // what curl can ask for first, as its arguments
	Users       UsersTold          `json:"users"`
	TurnedAway  TurnedAway         `json:"turned_away"`
	Routes      []Route            `json:"routes"`
	Credentials []CredentialStatus `json:"credentials"`
}

// UsersTold says for each door which local users may use it, in words.
type UsersTold struct {
	Proxy   string `json:"proxy"`
	Console string `json:"console"`
}

// TurnedAway counts for each door the connections of other users that were closed as
// they came, since as many are answered at a time as may be.
type TurnedAway struct {
	Proxy   int64 `json:"proxy"`
	Console int64 `json:"console"`
}

// CredentialStatus is how one credential stands.
type CredentialStatus struct {
	Name       string       `json:"name"`
	Grant      string       `json:"grant"`
	State      tokens.State `json:"state"`
	ExpiresAt  *time.Time   `json:"expires_at,omitempty"`
	LoggedInAt *time.Time   `json:"logged_in_at,omitempty"`
	RenewedAt  *time.Time   `json:"renewed_at,omitempty"`
	EndsAt     *time.Time   `json:"ends_at,omitempty"` // of the login itself, where that is known
	Scopes     []string     `json:"scopes,omitempty"`  // as granted
	Asked      []string     `json:"scopes_asked,omitempty"`
	Last       string       `json:"last_renewal,omitempty"` // how it ended, in this process
	LastAt     *time.Time   `json:"last_renewal_at,omitempty"`
	ClockAhead float64      `json:"clock_ahead_seconds,omitempty"` // of the provider's; what is not worth a word is left out
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
	status := Status{
		Version: c.Version, PID: os.Getpid(), Sandbox: c.Sandbox,
		Proxy: c.Proxy, Console: c.Self, Try: c.Try, Users: c.UsersTold, Routes: c.routes(), Credentials: c.credentials(),
	}
	if c.TurnedAway != nil {
		status.TurnedAway = c.TurnedAway()
	}
	writeJSON(w, http.StatusOK, status)
}

func (c *Console) credentials() []CredentialStatus {
	list := []CredentialStatus{}
	for _, credential := range c.Credentials {
		list = append(list, Describe(credential, credential.Source.Status()))
	}
	return list
}

// Describe puts the status of a credential's source into the form of the API.
func Describe(c Credential, s tokens.Status) CredentialStatus {
	status := CredentialStatus{
		Name: s.Name, Grant: s.Kind, State: s.State, Scopes: s.Scopes, Asked: c.Asked, Renewable: s.Renewable, Login: c.Client != nil,
		ExpiresAt: instant(s.Expiry), LoggedInAt: instant(s.LoggedIn), RenewedAt: instant(s.Renewed), EndsAt: instant(s.Ends),
		Last: s.Last, LastAt: instant(s.LastAt),
	}
	if c.Skew != nil {
		status.ClockAhead = c.Skew().Seconds()
	}
	switch {
	case s.Failure != nil:
		status.Problem = trouble(s.Failure)
		if s.Unread != "" && !strings.Contains(status.Problem.Hint, s.Unread) {
			status.Problem.Hint = "an answer that could not be read is kept in " + s.Unread + "; " + status.Problem.Hint
		}
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
