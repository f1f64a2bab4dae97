package app

import (
	"os"

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

// Readiness is for a server that has begun.
func (s *Server) Readiness() Readiness {
	r := Readiness{
		Proxy: s.console.Proxy, Console: s.console.Self,
		Users: s.program.users.describe("you"), Try: s.try(),
	}
	for _, route := range s.console.Routes {
		r.Routes = append(r.Routes, route.Route)
	}
	if s.console.Key != "" {
		r.Inspector = s.console.Address(api.LocalhostURL(r.Console))
	}
	for _, credential := range s.program.credentials {
		status := credential.Source.Status()
		r.Tokens = append(r.Tokens, status)
		if !credential.NonInteractive() && status.State == tokens.StateLoginNeeded {
			r.LoginURL = s.loginURL("")
		}
	}
	return r
}

// WarnWithoutPKCE does it for all credentials.
func (s *Server) WarnWithoutPKCE() {
	for _, credential := range s.program.credentials {
		s.program.warnOfPKCE(credential)
	}
}

// Daemon is how a command in the same process speaks to the server.
func (s *Server) Daemon() *api.Daemon {
	return api.NewDaemon(api.RunFile{PID: os.Getpid(), Proxy: s.console.Proxy, Console: s.console.Self, Key: s.console.Key})
}
