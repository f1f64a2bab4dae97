package app

import (
	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/console"
)

// StoredStatus is what the configuration and the store tell while nothing serves.
func StoredStatus(e *Environment, conf *config.Config) (*api.Status, error) {
	program, err := Build(e, conf, Resolved{Sandbox: StoppedSandbox(conf.Sandbox)})
	if err != nil {
		return nil, err
	}
	users, err := newUsers(conf)
	if err != nil {
		return nil, err
	}
	status := &api.Status{Version: Version(), Sandbox: conf.Sandbox, Users: users.describe("you"), Credentials: []api.CredentialStatus{}}
	for _, route := range conf.Routes {
		status.Routes = append(status.Routes, api.Route{Name: route.Name, Upstream: route.Upstream, Credential: route.Credential})
	}
	for _, credential := range program.credentials {
		status.Credentials = append(status.Credentials, console.Describe(credential.consoleView(), credential.Source.Peek()))
	}
	return status, nil
}
