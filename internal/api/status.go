// Package api is what a running server and its commands exchange: the JSON of the
// console's API, and the client that finds the server by its run.json.
package api

import (
	"time"

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
	Routes      []Route            `json:"routes"`
	Credentials []CredentialStatus `json:"credentials"`
}

// Access names the local users who may use each listener, in words.
type Access struct {
	Proxy   string `json:"proxy"`
	Console string `json:"console"`
}

// TurnedAway counts for each listener the connections of other users that were closed as
// they came, since as many are answered at a time as may be.
type TurnedAway struct {
	Proxy   int64 `json:"proxy"`
	Console int64 `json:"console"`
}

// A Route is a route as it is at this moment.
type Route struct {
	Name       string `json:"name"`
	Upstream   string `json:"upstream"`
	Credential string `json:"credential,omitempty"`
	// Problem is what keeps its requests from the upstream; nil = nothing is known to.
	Problem *RouteProblem `json:"problem,omitempty"`
}

// RouteProblem is what is wrong with the connection to a route's upstream and what to do
// about it.
type RouteProblem struct {
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
	Down   bool   `json:"down"` // no request can go; else some wait
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

// Error is what is wrong with a credential and what to do about it.
type Error struct {
	Action tokens.Action `json:"action"`
	Code   string        `json:"code,omitempty"`
	Detail string        `json:"detail"`
	Hint   string        `json:"hint"`
}
