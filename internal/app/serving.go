package app

import (
	"net"
	"os"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/httpserver"
	"avsproxy/tokens"
)

// Close undoes everything, the latest first. It also runs where starting failed
// halfway.
func (s *Server) Close() {
	s.run.Remove(s.Conf.Store.Path)
	s.capture.markShutdown()
	for _, server := range []*httpserver.Server{s.proxy, s.pages} {
		if server != nil {
			server.Close()
		}
	}
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
	s.listeners.Close()
}

// Readiness is for a server that has begun.
func (s *Server) Readiness() Readiness {
	r := Readiness{
		Proxy: s.console.Proxy, Console: s.console.Self,
		Users: s.program.users.describe("you"), Try: tryCommand(s),
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
		if r.LoginCommand == "" && !credential.NonInteractive() && status.State == tokens.StateLoginNeeded {
			r.LoginCommand = s.program.LoginCommand(credential)
			if !credential.Imports() {
				r.LoginURL = s.loginURL(credential.Conf.Name)
			}
		}
	}
	return r
}

// WarnOfWeakLogins warns of logins that are less protected than they could be.
func (s *Server) WarnOfWeakLogins() {
	s.program.warnOfSharedRedirects()
	for _, credential := range s.program.credentials {
		s.program.warnOfPKCE(credential)
	}
}

// Daemon is how a command in the same process speaks to the server.
func (s *Server) Daemon() *api.Daemon {
	return api.NewDaemon(api.RunFile{PID: os.Getpid(), Proxy: s.console.Proxy, Console: s.console.Self, Key: s.console.Key})
}

// ownAddresses are the addresses that no client is to reach through the proxy: at this
// moment, since those of a login's callback come and go.
func (s *Server) ownAddresses() []net.Addr {
	var own []net.Addr
	for _, ln := range append(s.allProxyListeners(), s.consoleListeners...) {
		own = append(own, ln.Addr())
	}
	if s.callbacks != nil {
		own = append(own, s.callbacks.addrs()...)
	}
	return own
}

func (s *Server) loginURL(name string) string { return loginURL(s.Conf, s.consolePort, name) }

// A Readiness says where a server listens and what it needs, for the person who started it.
type Readiness struct {
	Proxy     []string
	Console   string
	Inspector string // the address that opens it once; empty = the console's own does
	Routes    []api.Route
	Users     api.Access
	Tokens    []tokens.Status
	// LoginCommand and LoginURL are for the first credential that needs a login; without
	// a URL the command alone logs in. Both empty = none needs one.
	LoginCommand, LoginURL string
	Try                    string // what curl can ask for, as its arguments
}

// StoredStatus is the status by the configuration and the store, without a server.
func StoredStatus(e *Environment, conf *config.Config) (*api.Status, error) {
	program, err := Build(e, conf, Resolved{Sandbox: StoppedSandbox(conf.Sandbox)})
	if err != nil {
		return nil, err
	}
	users, err := newUsers(conf)
	if err != nil {
		return nil, err
	}
	status := &api.Status{Version: Version(), Sandbox: conf.Sandbox, Users: users.describe("you"), Credentials: []api.CredentialStatus{}, Store: program.Store()}
	for _, route := range conf.Routes {
		status.Routes = append(status.Routes, api.Route{Name: route.Name, Upstream: route.Upstream, Credential: route.Credential, Listen: route.Listen})
	}
	for _, credential := range program.credentials {
		status.Credentials = append(status.Credentials, console.Describe(credential.consoleView(), credential.Source.Peek()))
	}
	return status, nil
}
