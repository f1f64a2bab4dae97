package app

import (
	"avsproxy/internal/api"
	"avsproxy/tokens"
)

// A Readiness says where a server listens and what it needs, for the person who started it.
type Readiness struct {
	Proxy     []string
	Console   string
	Inspector string // the address that opens it once; empty = the console's own does
	Routes    []api.Route
	Users     api.Access
	Tokens    []tokens.Status
	LoginURL  string // empty = nobody has to log in first
	Try       string // what curl can ask for, as its arguments
}
