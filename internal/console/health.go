package console

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
	"avsproxy/tokens"
)

// readyTimeout bounds how long a readiness probe waits for a renewal.
const readyTimeout = 5 * time.Second

// livez says that the process answers, nothing more.
func (c *Console) livez(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("ok\n"))
}

// readyz says whether every route can inject its credential now, and whether there may be
// a connection for it. A token that expired while it was not used is renewed here, as by
// a request.
func (c *Console) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	answer, status := api.Readiness{Ready: true}, http.StatusOK
	for _, route := range c.Routes {
		state := api.RouteReadiness{Route: route.Name, Ready: true}
		if why := c.whyUnready(ctx, route); why != nil {
			state = api.RouteReadiness{Route: route.Name, Code: string(why.code), Reason: why.public}
			if c.isOwner(r) {
				state.Reason = why.err.Error()
			}
			answer.Ready, status = false, http.StatusServiceUnavailable
		}
		answer.Routes = append(answer.Routes, state)
	}
	writeJSON(w, status, answer)
}

// isOwner reports whether a request is by somebody for whom the whole console is.
func (c *Console) isOwner(r *http.Request) bool {
	admitted := c.Users == nil || c.Users.Admit(httpexchange.Conn(r).Peer)
	return admitted && (c.Key == "" || c.hasKey(r))
}

// An unready is why a route is not ready. Every user of this machine may read the code and
// the public text; err, what the provider said and where files are, is the owner's.
type unready struct {
	code   problem.Code
	public string
	err    error
}

// whyUnready also looks for a grant that would not survive a restart: an operator must
// hear of that before it is too late.
func (c *Console) whyUnready(ctx context.Context, route Route) *unready {
	if route.Credential != "" {
		credential, ok := c.find(route.Credential)
		if !ok {
			return noToken(errors.New("the configuration has no credential " + route.Credential))
		}
		if _, err := credential.Source.Token(ctx); err != nil {
			return noToken(err)
		}
		if err := credential.Source.Status().Unsaved; err != nil {
			return &unready{"", "the login could not be saved", err}
		}
	}
	if found := route.now().Problem; found != nil && found.Down {
		return &unready{problem.UpstreamUnreachable, "no connection to the upstream is tried for a while", errors.New(found.Message)}
	}
	return nil
}

func noToken(err error) *unready {
	if tokens.LoginNeeded(err) {
		return &unready{problem.LoginRequired, "a login is needed", err}
	}
	return &unready{problem.TokenRefreshFailed, "the token could not be renewed", err}
}

func (c *Console) status(*http.Request) (any, error) { return c.present(), nil }

// present is the state of everything at this moment.
func (c *Console) present() api.Status {
	status := api.Status{
		Version: c.Version, PID: os.Getpid(), Sandbox: c.Sandbox,
		Proxy: c.Proxy, Console: c.Self, Try: c.Try, Users: c.Access, Credentials: []api.CredentialStatus{},
	}
	for _, route := range c.Routes {
		status.Routes = append(status.Routes, route.now())
	}
	for _, credential := range c.Credentials {
		status.Credentials = append(status.Credentials, Describe(credential, credential.Source.Status()))
	}
	if c.Store != nil {
		status.Store = c.Store()
	}
	if c.TurnedAway != nil {
		status.TurnedAway = c.TurnedAway()
	}
	return status
}

// Describe puts the status of a credential's source into the form of the API.
func Describe(c Credential, s tokens.Status) api.CredentialStatus {
	status := api.CredentialStatus{
		Name: s.Name, Grant: s.Kind, State: s.State, Scopes: s.Scopes, Asked: c.Asked, Renewable: s.Renewable, Login: c.Client != nil,
		ExpiresAt: api.Instant(s.Expiry), LoggedInAt: api.Instant(s.LoggedIn), RenewedAt: api.Instant(s.Renewed), EndsAt: api.Instant(s.Ends),
		Last: s.Last, LastAt: api.Instant(s.LastAt),
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
		status.Problem = &api.Error{Action: tokens.ActionConfig, Message: "the login could not be saved: " + s.Unsaved.Error(), Hint: "make room or repair the folder; it serves from memory until then"}
	}
	return status
}
