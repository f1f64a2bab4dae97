package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
	"avsproxy/tokens"
)

// readyPatience bounds how long a readiness probe waits for a renewal.
const readyPatience = 5 * time.Second

// livez says that the process answers, nothing more.
func (c *Console) livez(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("ok\n"))
}

type readiness struct {
	Ready  bool             `json:"ready"`
	Routes []routeReadiness `json:"routes"`
}

type routeReadiness struct {
	Route  string       `json:"route"`
	Ready  bool         `json:"ready"`
	Code   problem.Code `json:"code,omitempty"` // of the problem that a request would be answered with
	Reason string       `json:"reason,omitempty"`
}

// readyz says whether every route can inject its credential now, and whether there may be
// a connection for it. A token that ended while nobody asked for it is renewed here, as a
// request would do.
func (c *Console) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyPatience)
	defer cancel()
	answer := readiness{Ready: true}
	for _, route := range c.Routes {
		state := routeReadiness{Route: route.Name, Ready: true}
		if err := cmp.Or(c.canInject(ctx, route.Credential), route.canSend()); err != nil {
			state.Ready = false
			state.Code, state.Reason = unready(err)
			if c.isOwner(r) {
				state.Reason = err.Error()
			}
			answer.Ready = false
		}
		answer.Routes = append(answer.Routes, state)
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, answer)
}

// unready tells every user of this machine why a route is not ready: a code, and
// words of our own. What the provider said, and where files are, is the owner's.
func unready(err error) (problem.Code, string) {
	switch {
	case tokens.LoginNeeded(err):
		return problem.LoginRequired, "a login is needed"
	case errors.As(err, new(unsaved)):
		return "", "the login could not be saved"
	case errors.As(err, new(unreachable)):
		return problem.UpstreamUnreachable, "no connection to the upstream is tried for a while"
	}
	return problem.TokenRefreshFailed, "the token could not be renewed"
}

// isOwner reports whether a request is by somebody for whom the whole console is.
func (c *Console) isOwner(r *http.Request) bool {
	admitted := c.Users == nil || c.Users.Admit(httpexchange.Conn(r).Peer)
	return admitted && (c.Key == "" || c.hasKey(r))
}

// An unsaved error is why the present grant would not survive a restart.
type unsaved struct{ error }

// canInject also fails where the present grant would not survive a restart: an
// operator must hear of that before it is too late.
func (c *Console) canInject(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	credential, ok := c.find(name)
	if !ok {
		return errors.New("the configuration has no credential " + name)
	}
	if _, err := credential.Source.Token(ctx); err != nil {
		return err
	}
	if err := credential.Source.Status().Unsaved; err != nil {
		return unsaved{err}
	}
	return nil
}

// An unreachable error is why no connection for a route is tried.
type unreachable struct{ error }

func (r Route) canSend() error {
	if trouble := r.now().Problem; trouble != nil && trouble.Down {
		return unreachable{errors.New(trouble.Detail)}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		http.Error(w, "the answer could not be written as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(text, '\n'))
}
