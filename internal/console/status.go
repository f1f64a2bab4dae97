package console

import (
	"net/http"
	"os"
	"strings"
	"time"

	"avsproxy/internal/api"
	"avsproxy/tokens"
)

func (c *Console) status(*http.Request) (any, error) {
	status := api.Status{
		Version: c.Version, PID: os.Getpid(), Sandbox: c.Sandbox,
		Proxy: c.Proxy, Console: c.Self, Try: c.Try, Users: c.Access, Routes: c.routes(), Credentials: c.credentials(),
	}
	if c.TurnedAway != nil {
		status.TurnedAway = c.TurnedAway()
	}
	return status, nil
}

func (c *Console) credentials() []api.CredentialStatus {
	list := []api.CredentialStatus{}
	for _, credential := range c.Credentials {
		list = append(list, Describe(credential, credential.Source.Status()))
	}
	return list
}

// Describe puts the status of a credential's source into the form of the API.
func Describe(c Credential, s tokens.Status) api.CredentialStatus {
	status := api.CredentialStatus{
		Name: s.Name, Grant: s.Kind, State: s.State, Scopes: s.Scopes, Asked: c.Asked, Renewable: s.Renewable, Login: c.Client != nil,
		ExpiresAt: instant(s.Expiry), LoggedInAt: instant(s.LoggedIn), RenewedAt: instant(s.Renewed), EndsAt: instant(s.Ends),
		Last: s.Last, LastAt: instant(s.LastAt),
	}
	if c.Skew != nil {
		status.ClockAhead = c.Skew().Seconds()
	}
	switch {
	case s.Failure != nil:
		status.Problem = describe(s.Failure)
		if s.Unread != "" && !strings.Contains(status.Problem.Hint, s.Unread) {
			status.Problem.Hint = "an answer that could not be read is kept in " + s.Unread + "; " + status.Problem.Hint
		}
	case s.Unsaved != nil:
		status.Problem = &api.Error{Action: tokens.ActionConfig, Message: "the login could not be saved: " + s.Unsaved.Error(), Hint: "make room or mend the folder; it serves from memory until then"}
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
