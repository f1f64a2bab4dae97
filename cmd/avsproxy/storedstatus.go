package main

import (
	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/console"
)

// storedStatus is what the configuration and the store tell while nothing serves.
func (e *environment) storedStatus(conf *config.Config) (*api.Status, error) {
	program, err := e.build(conf, standIf(conf.Sandbox))
	if err != nil {
		return nil, err
	}
	users, err := newUsers(conf)
	if err != nil {
		return nil, err
	}
	status := &api.Status{Version: version(), Sandbox: conf.Sandbox, Users: users.told("you"), Credentials: []api.CredentialStatus{}}
	for _, route := range conf.Routes {
		status.Routes = append(status.Routes, api.Route{Name: route.Name, Upstream: route.Upstream, Credential: route.Credential})
	}
	for _, credential := range program.credentials {
		status.Credentials = append(status.Credentials, console.Describe(credential.shown(), credential.source.Peek()))
	}
	return status, nil
}
