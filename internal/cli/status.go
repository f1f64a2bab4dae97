package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"

	"github.com/spf13/cobra"
)

func statusCommand(a *commands) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how routes and credentials stand",
		Example: `  avsproxy status
  avsproxy status --json`,
		Args: arguments(),
		RunE: a.configured(config.LoadWithoutSecrets, func(ctx context.Context, a *commands, conf *config.Config, _ string) error {
			return runStatus(ctx, a, conf, asJSON)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the status as JSON")
	return cmd
}

// runStatus asks the running proxy, or else looks into the store.
func runStatus(ctx context.Context, a *commands, conf *config.Config, asJSON bool) error {
	daemon := app.FindDaemon(ctx, a.Environment, conf)
	status, err := getStatus(ctx, a, conf, daemon)
	if err != nil {
		return err
	}
	if asJSON {
		return indented(a.stdout, status)
	}
	adviseLogins(status, conf)
	if err := printStatus(a, status); err != nil || daemon == nil || daemon.Key == "" {
		return err
	}
	page, err := daemon.Inspector(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "inspector  %s (opens it once)\n", page)
	return err
}

func getStatus(ctx context.Context, a *commands, conf *config.Config, daemon *api.Daemon) (*api.Status, error) {
	if daemon == nil {
		return app.StoredStatus(a.Environment, conf)
	}
	var status api.Status
	return &status, daemon.Call(ctx, http.MethodGet, "/api/status", nil, &status)
}

// adviseLogins words what to do about missing logins: it never names a command that refuses.
func adviseLogins(status *api.Status, conf *config.Config) {
	for i, credential := range status.Credentials {
		problem := credential.Problem
		if problem == nil || problem.Action != tokens.ActionLogin {
			continue
		}
		login := "run '" + terminal.LoginCommand(credential.Name, defaultCredential(status.Routes), !credential.Login) + "'"
		switch {
		case conf.Sandbox && status.PID == 0:
			status.Credentials[i].Problem = &api.Error{Message: "'avsproxy serve' logs in to its sandbox by itself"}
		case conf.Store.Kind == "memory" && status.PID == 0:
			problem.Hint = "the store is memory: run 'avsproxy serve' first, and then '" + login[len("run '"):]
		case strings.HasPrefix(problem.Hint, "log in"):
			problem.Hint = login
		}
	}
}

func printStatus(a *commands, status *api.Status) error {
	table := tabwriter.NewWriter(terminal.WrapLines(a.stdout), 0, 0, 2, ' ', 0)
	if status.PID == 0 {
		fmt.Fprintf(table, "serve\tnot running, or not found: there is no run.json in the state folder%s\n", map[bool]string{true: "; the configuration says sandbox"}[status.Sandbox])
	} else {
		fmt.Fprintf(table, "serve\trunning (pid %d)%s, proxy %s, console %s\n", status.PID, map[bool]string{true: ", sandbox"}[status.Sandbox], strings.Join(app.LocalhostURLs(status.Proxy), " "), api.LocalhostURL(status.Console))
	}
	fmt.Fprintf(table, "users\tproxy: %s\n\tconsole: %s\n", status.Users.Proxy, status.Users.Console)
	if away := status.TurnedAway; away != (api.TurnedAway{}) {
		fmt.Fprintf(table, "turned away\t%d connections of other users to the proxy, %d to the console, beyond those that get an answer\n", away.Proxy, away.Console)
	}
	if store := status.Store; store != nil {
		for i, line := range store.Lines() {
			fmt.Fprintf(table, "%s\t%s\n", map[bool]string{true: "store"}[i == 0], line)
		}
	}
	for _, route := range status.Routes {
		fmt.Fprintf(table, "route %s\t%s, credential %s\n", route.Name, route.Upstream, cmp.Or(route.Credential, "none"))
		if len(route.Listen) > 0 {
			fmt.Fprintf(table, "\tat %s\n", strings.Join(app.LocalhostURLs(route.Listen), " "))
		}
		if probe := route.Probe; probe != nil {
			fmt.Fprintf(table, "\tprobe %s: %s, %s\n", probe.Request, probe.Text, terminal.When(probe.At))
		}
		if problem := route.Problem; problem != nil {
			fmt.Fprintf(table, "\t%s: %s\n", problem.Message, problem.Hint)
		}
	}
	for _, credential := range status.Credentials {
		label := "credential " + credential.Name
		for _, line := range credential.Lines() {
			fmt.Fprintf(table, "%s\t%s\n", label, line)
			label = ""
		}
	}
	return table.Flush()
}

// defaultCredential is that of the first route.
func defaultCredential(routes []api.Route) string {
	if len(routes) == 0 {
		return ""
	}
	return routes[0].Credential
}
