package main

import (
	"os"

	"avsproxy/internal/api"
	"avsproxy/tokens"
)

// A ready says where a server listens and what it needs, for the person who started it.
type ready struct {
	proxy     []string
	console   string
	inspector string // the address that opens it once; empty = the console's own does
	routes    []api.Route
	users     api.UsersTold
	tokens    []tokens.Status
	loginURL  string // empty = nobody has to log in first
	try       string // what curl can ask for, as its arguments
}

// ready is for a server that has begun.
func (s *server) ready() ready {
	r := ready{
		proxy: s.console.Proxy, console: s.console.Self,
		users: s.program.users.told("you"), try: s.try(),
	}
	for _, route := range s.console.Routes {
		r.routes = append(r.routes, route.Route)
	}
	if s.console.Key != "" {
		r.inspector = s.console.Address(localhostURL(r.console))
	}
	for _, credential := range s.program.credentials {
		status := credential.source.Status()
		r.tokens = append(r.tokens, status)
		if !credential.unasked() && status.State == tokens.StateLoginNeeded {
			r.loginURL = s.loginURL("")
		}
	}
	return r
}

// warnOfPKCE does it for all credentials.
func (s *server) warnOfPKCE() {
	for _, credential := range s.program.credentials {
		s.program.warnOfPKCE(credential)
	}
}

// asRunning is how a command in the same process speaks to the server.
func (s *server) asRunning() *running {
	return newRunning(runFile{PID: os.Getpid(), Proxy: s.console.Proxy, Console: s.console.Self, Key: s.console.Key})
}
