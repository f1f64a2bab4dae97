package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"avsproxy/internal/app"
	"avsproxy/internal/config"
)

func serveCommand(a *commands) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy and its console",
		Long: `Run the proxy and its console until SIGINT (Ctrl-C) or SIGTERM. Requests under
way then get 10 seconds to finish; a second signal ends everything at once.`,
		Args: cobra.NoArgs,
		RunE: a.configured(config.Load, func(ctx context.Context, conf *config.Config, _ string) error {
			return runServe(ctx, a, conf, asJSON)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON on stdout when ready")
	return cmd
}

// runServe listens on everything first, then serves, then says that it is ready.
func runServe(ctx context.Context, a *commands, conf *config.Config, asJSON bool) error {
	ignoreBrokenPipe()
	daemon := app.FindDaemon(ctx, a.Environment, conf)
	if daemon != nil {
		a.UI.Warn(fmt.Sprintf("another avsproxy (pid %d) serves from %s; other commands will speak to that one", daemon.PID, conf.Store.Path),
			"give this one a folder of its own with path in [store]")
	}
	s, err := app.NewServer(a.Environment, conf)
	if err != nil {
		return err
	}
	s.Isolated = daemon != nil
	defer s.Close()
	if err := s.Begin(ctx); err != nil {
		return err
	}
	announceReady(a, conf, s.Readiness(), asJSON)
	s.WarnWithoutPKCE()
	return s.Wait(ctx)
}
