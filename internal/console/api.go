package console

import (
	"encoding/json"
	"errors"
	"net/http"

	"avsproxy/internal/api"
	"avsproxy/tokens"
)

// serveAPI adds the API to mux.
func (c *Console) serveAPI(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/status", answering(http.StatusOK, c.status))
	mux.HandleFunc("GET /api/directives", failing(c.directives))
	mux.HandleFunc("POST /api/logins", answering(http.StatusCreated, c.beginLogin))
	mux.HandleFunc("GET /api/logins/{id}", answering(http.StatusOK, c.awaitLogin))
	mux.HandleFunc("DELETE /api/login", answering(http.StatusOK, c.logout))
	mux.HandleFunc("POST /api/reload", answering(http.StatusOK, c.reload))
	mux.HandleFunc("GET /api/explain", answering(http.StatusOK, c.explain))
	mux.HandleFunc("POST /api/tickets", answering(http.StatusCreated, c.newTicket))
	captured := func(pattern string, handler http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if c.Exchanges == nil {
				failing(captureOff)(w, r)
				return
			}
			handler(w, r)
		})
	}
	captured("GET /api/exchanges", answering(http.StatusOK, c.list))
	captured("GET /api/matching", answering(http.StatusOK, c.matching))
	captured("DELETE /api/exchanges", c.clear)
	captured("POST /api/capture", answering(http.StatusOK, c.pause))
	captured("GET /api/exchanges/{id}", answering(http.StatusOK, c.exchange))
	captured("GET /api/exchanges/{id}/{side}/body", failing(c.body))
	captured("GET /api/exchanges/{id}/{side}/parts", failing(c.parts))
	captured("GET /api/exchanges/{id}/{side}/parts/{part}", failing(c.part))
	captured("GET /api/exchanges/{id}/{side}/messages", answering(http.StatusOK, c.messages))
	captured("POST /api/requests", answering(http.StatusAccepted, c.compose))
	captured("POST /api/exchanges/{id}/replay", answering(http.StatusAccepted, c.replay))
	captured("GET /api/events", failing(c.events))
	captured("GET /api/breakpoints", failing(c.breakpoints))
	captured("POST /api/held/{id}", answering(http.StatusOK, c.decide))
	captured("GET /har", failing(c.har))
}

func captureOff(http.ResponseWriter, *http.Request) error {
	return refuse(http.StatusNotFound, "capture_off", "capture is off: no exchange is remembered", "set enabled = true in [capture], in config.toml, and start avsproxy again")
}

// failing makes a handler of a function that returns an error before it writes anything.
func failing(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := f(w, r)
		var known *failure
		switch {
		case err == nil:
		case errors.As(err, &known):
			if known.status == http.StatusServiceUnavailable {
				w.Header().Set("Retry-After", "1")
			}
			writeJSON(w, known.status, known.body)
		default:
			writeJSON(w, http.StatusInternalServerError, describe(err))
		}
	}
}

// answering makes a handler of a function that returns what to answer as JSON.
func answering(status int, f func(*http.Request) (any, error)) http.HandlerFunc {
	return failing(func(w http.ResponseWriter, r *http.Request) error {
		answer, err := f(r)
		if err == nil {
			writeJSON(w, status, answer)
		}
		return err
	})
}

// A failure is why a request to the API cannot be done.
type failure struct {
	status int
	body   api.Error
}

// Error implements error.
func (f *failure) Error() string { return f.body.Message }

func refuse(status int, code, message, hint string) *failure {
	return &failure{status, api.Error{Action: tokens.ActionConfig, Code: code, Message: message, Hint: hint}}
}

// describe is an error of a credential as the API has it.
func describe(err error) *api.Error {
	var e *tokens.Error
	if errors.As(err, &e) {
		action := e.Action
		if e.NeedsLogin() {
			action = tokens.ActionLogin
		}
		return &api.Error{Action: action, Code: e.Code, Message: e.Error(), Hint: e.Hint}
	}
	return &api.Error{Action: tokens.ActionConfig, Message: err.Error(), Hint: "fix this, then log in again"}
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
