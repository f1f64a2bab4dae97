package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/console"

	"github.com/spf13/cobra"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how routes and credentials stand",
		Args:  cobra.NoArgs,
		RunE: a.configured(config.LoadBeside, func(ctx context.Context, conf *config.Config, _ string) error {
			status, err := a.status(ctx, conf)
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(a.stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(status)
			}
			return a.printStatus(status)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the status as JSON")
	return cmd
}

// status asks the running proxy, or else looks into the store.
func (a *app) status(ctx context.Context, conf *config.Config) (*console.Status, error) {
	if beside := a.running(ctx, conf); beside != nil {
		var status console.Status
		return &status, beside.call(ctx, http.MethodGet, "/api/status", &status)
	}
	program, err := build(conf, standIf(conf.Sandbox))
	if err != nil {
		return nil, err
	}
	status := &console.Status{Version: version(), Sandbox: conf.Sandbox, Credentials: []console.CredentialStatus{}}
	for _, route := range conf.Routes {
		status.Routes = append(status.Routes, console.Route{Name: route.Name, Upstream: route.Upstream, Credential: route.Credential})
	}
	for _, credential := range program.credentials {
		described := console.Describe(credential.source.Peek(), credential.interactive())
		status.Credentials = append(status.Credentials, described)
	}
	return status, nil
}

// standIf is a sandbox that is not there, for looking without touching.
func standIf(sandboxed bool) *stand {
	if sandboxed {
		return &stand{}
	}
	return nil
}

func (a *app) printStatus(status *console.Status) error {
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	if status.PID == 0 {
		fmt.Fprintln(table, "serve\tnot running")
	} else {
		fmt.Fprintf(table, "serve\trunning (pid %d), proxy %s, console %s\n", status.PID, strings.Join(shown(status.Proxy), " "), localhostURL(status.Console))
	}
	for _, route := range status.Routes {
		fmt.Fprintf(table, "route %s\t%s, credential %s\n", route.Name, route.Upstream, orNone(route.Credential))
	}
	for _, credential := range status.Credentials {
		fmt.Fprintf(table, "credential %s\t%s\n", credential.Name, credentialText(credential))
		if problem := credential.Problem; problem != nil {
			fmt.Fprintf(table, "\t%s; %s\n", problem.Detail, problem.Hint)
		}
	}
	return table.Flush()
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func credentialText(c console.CredentialStatus) string {
	text := strings.ReplaceAll(string(c.State), "_", " ") + ", grant " + c.Grant
	if c.ExpiresAt != nil {
		text += ", token until " + clock(*c.ExpiresAt)
	}
	if c.LoggedInAt != nil {
		text += ", logged in " + c.LoggedInAt.Local().Format(time.DateTime)
	}
	if len(c.Scopes) > 0 {
		text += ", scopes " + strings.Join(c.Scopes, " ")
	}
	return text
}
