// Package api is what a running server and its commands exchange: the JSON of the
// console's API, and the client that finds the server by its run.json.
package api

import (
	"time"

	"avsproxy/internal/capture"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// Status is the response of /api/status. It holds no secret.
type Status struct {
	Version     string             `json:"version"`
	PID         int                `json:"pid"`
	Sandbox     bool               `json:"sandbox"`
	Proxy       []string           `json:"proxy"`
	Console     string             `json:"console"`
	Try         string             `json:"try,omitempty"` // what curl can ask for first, as its arguments
	Users       Access             `json:"users"`
	TurnedAway  TurnedAway         `json:"turned_away"`
	Store       *Store             `json:"store,omitempty"` // where other machines use it, too
	Routes      []Route            `json:"routes"`
	Credentials []CredentialStatus `json:"credentials"`
}

// Readiness is the response of /readyz.
type Readiness struct {
	Ready  bool             `json:"ready"`
	Routes []RouteReadiness `json:"routes"`
}

// RouteReadiness is whether a route can inject its credential now.
type RouteReadiness struct {
	Route  string `json:"route"`
	Ready  bool   `json:"ready"`
	Code   string `json:"code,omitempty"` // of the problem that a request would be answered with
	Reason string `json:"reason,omitempty"`
}

// Access names the local users who may use each listener, in words.
type Access struct {
	Proxy   string `json:"proxy"`
	Console string `json:"console"`
}

// TurnedAway counts for each listener the connections of other users that were closed
// without an answer, because the limit of answers at a time was reached.
type TurnedAway struct {
	Proxy   int64 `json:"proxy"`
	Console int64 `json:"console"`
}

// A Store is a store of logins that other machines use, too.
type Store struct {
	Where    string   `json:"where"`              // without user and password
	Problem  *Error   `json:"problem,omitempty"`  // it cannot be reached
	Warnings []string `json:"warnings,omitempty"` // of its settings, which may lose logins
}

// Lines are the state of the store in words.
func (s *Store) Lines() []string {
	if s.Problem != nil {
		return []string{s.Where + ", shared with other machines", s.Problem.Message + ": " + s.Problem.Hint}
	}
	lines := []string{s.Where + ", shared with other machines: it answers"}
	for _, warning := range s.Warnings {
		lines = append(lines, "warning: "+warning)
	}
	return lines
}

// A Route is a route as it is at this moment.
type Route struct {
	Name       string `json:"name"`
	Upstream   string `json:"upstream"`
	Credential string `json:"credential,omitempty"`
	// Listen are the addresses where the local names mean the route, besides NAME.localhost.
	Listen []string `json:"listen,omitempty"`
	// Problem is what keeps its requests from the upstream; nil = nothing is known to.
	Problem *RouteProblem `json:"problem,omitempty"`
	// Probe is how the route's probe was answered last; nil = it has none, or was not sent yet.
	Probe *Probe `json:"probe,omitempty"`
}

// A Probe is one request that the proxy sends by itself to see whether a route works.
type Probe struct {
	Request string    `json:"request"` // method and path
	At      time.Time `json:"at"`
	OK      bool      `json:"ok"`     // it was answered, with a status below 400
	Status  int       `json:"status"` // 0 = there was no answer
	TookMS  float64   `json:"took_ms"`
	Text    string    `json:"text"` // the answer, or why there is none, for people
}

// RouteProblem is what is wrong with the connection to a route's upstream and what to do
// about it.
type RouteProblem struct {
	Message string `json:"detail"`
	Hint    string `json:"hint"`
	Down    bool   `json:"down"` // no request can go; else some wait
}

// CredentialStatus is the state of one credential.
type CredentialStatus struct {
	Name       string         `json:"name"`
	Grant      string         `json:"grant"`
	State      tokens.State   `json:"state"`
	ExpiresAt  *time.Time     `json:"expires_at,omitempty"`
	LoggedInAt *time.Time     `json:"logged_in_at,omitempty"`
	RenewedAt  *time.Time     `json:"renewed_at,omitempty"`
	EndsAt     *time.Time     `json:"ends_at,omitempty"` // of the login itself, where that is known
	Scopes     []string       `json:"scopes,omitempty"`  // as granted
	Asked      []string       `json:"scopes_asked,omitempty"`
	Last       tokens.Outcome `json:"last_renewal,omitempty"` // how it ended, in this process
	LastAt     *time.Time     `json:"last_renewal_at,omitempty"`
	ClockAhead float64        `json:"clock_ahead_seconds,omitempty"` // of the provider's; what is not worth a word is left out
	Renewable  bool           `json:"renewable"`
	Login      bool           `json:"login"` // a person can log in to it
	Problem    *Error         `json:"problem,omitempty"`
}

// Instant is a time as the API has it; nil = zero, which is unknown.
func Instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Truncate(time.Second))
}

// TokenText says in what state the token is. What is wrong with it is in Problem.
func (c CredentialStatus) TokenText() string {
	status := tokens.Status{State: c.State, Renewable: c.Renewable}
	if c.ExpiresAt != nil {
		status.Expiry = *c.ExpiresAt
	}
	return terminal.TokenText(status)
}

// An Error is what is wrong and what to do about it: with a credential, or with a request
// to the API.
type Error struct {
	Action  tokens.Action `json:"action"`
	Code    string        `json:"code,omitempty"`
	Message string        `json:"detail"`
	Hint    string        `json:"hint"`
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

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

// LoginEnded is the answer to GET /api/logins/ID.
type LoginEnded struct {
	Over    bool   `json:"over"`
	Lasting bool   `json:"lasting"`
	Problem *Error `json:"problem,omitempty"`
}

// LogoutDone is the answer to DELETE /api/login.
type LogoutDone struct {
	WasLoggedIn bool `json:"was_logged_in"`
}

// PastedHeader brings the redirect URI that a person has pasted into a command. No
// provider can make a browser send it.
const PastedHeader = "Avsproxy-Pasted"

// Exchanges is the answer to GET /api/exchanges.
type Exchanges struct {
	Exchanges []capture.Summary `json:"exchanges"` // the newest last
	Paused    bool              `json:"paused"`
	Dropped   uint64            `json:"dropped"` // how many made room for others
}

// A ReplayEdit is the body of POST /api/exchanges/ID/replay. What is missing stays as it
// was.
type ReplayEdit struct {
	Method  *string         `json:"method"`
	Target  *string         `json:"target"`
	Headers []capture.Field `json:"headers"`
	Body    *[]byte         `json:"body_base64"`
}

// ReplayBegun is the answer to it.
type ReplayBegun struct {
	ID uint64 `json:"id"` // of the new exchange
}

// TicketMade is the answer to POST /api/tickets: where one browser may open the
// inspector.
type TicketMade struct {
	Address string `json:"address"`
}

// KeyHeader is the header in which commands present the console's key.
const KeyHeader = "Avsproxy-Console-Key"
