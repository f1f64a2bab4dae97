package app

import (
	"os"

	"avsproxy/internal/api"
	"avsproxy/tokens"
)

// A Ready says where a server listens and what it needs, for the person who started it.
type Ready struct {
	Proxy     []string
	Console   string
	Inspector string // the address that opens it once; empty = the console's own does
	Routes    []api.Route
	Users     api.UsersTold
	Tokens    []tokens.Status
	LoginURL  string // empty = nobody has to log in first
	Try       string // what curl can ask for, as its arguments
}

// Ready is for a server that has begun.
func (s *Server) Ready() Ready {
	r := Ready{
		Proxy: s.console.Proxy, Console: s.console.Self,
		Users: s.program.users.told("you"), Try: s.try(),
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
		if !credential.Unasked() && status.State == tokens.StateLoginNeeded {
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

// AsRunning is how a command in the same process speaks to the server.
func (s *Server) AsRunning() *api.Running {
	return api.NewRunning(api.RunFile{PID: os.Getpid(), Proxy: s.console.Proxy, Console: s.console.Self, Key: s.console.Key})
}
