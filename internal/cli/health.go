package cli

import (
	"context"
	"fmt"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/problem"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
)

func healthCommand(a *commands) *cobra.Command {
	var live bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Say whether the running proxy can serve, for health checks",
		Long: `Say whether the running proxy can serve: whether each route can add its credential
now. It ends with 0 where that is so, with 3 where a login is needed, and else with 1.
With --live it asks only whether the proxy answers. Containers run it, for the console
is for their own machine alone.`,
		Example: "  avsproxy health\n  avsproxy health --live",
		Args:    arguments(),
	}
	cmd.RunE = a.withDaemon(func(ctx context.Context, a *commands, daemon *api.Daemon, _ string) error {
		if live { // it answered when it was looked for
			_, err := fmt.Fprintln(a.stdout, "live")
			return err
		}
		ready, err := daemon.Ready(ctx)
		if err != nil {
			return err
		}
		return sayReady(a, ready)
	})
	cmd.Flags().BoolVar(&live, "live", false, "ask only whether it answers")
	return cmd
}

func sayReady(a *commands, ready api.Readiness) error {
	if ready.Ready {
		_, err := fmt.Fprintln(a.stdout, "ready")
		return err
	}
	var reasons []string
	code := terminal.ExitFailed
	for _, route := range ready.Routes {
		if !route.Ready {
			reasons = append(reasons, "route "+route.Route+": "+route.Reason)
		}
		if route.Code == string(problem.LoginRequired) {
			code = terminal.ExitLogin
		}
	}
	return &terminal.ExitError{Code: code, Err: fmt.Errorf("not ready: %s", strings.Join(reasons, "; ")), Hint: "see 'avsproxy status'"}
}
