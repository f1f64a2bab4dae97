package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"
)

// withDaemon makes a command of one that is nothing without a running proxy. arg is
// the command's one argument, "" where it has none.
func withDaemon(a *commands, run func(ctx context.Context, daemon *api.Daemon, arg string) error) func(*cobra.Command, []string) error {
	return a.configured(config.LoadBeside, func(ctx context.Context, conf *config.Config, arg string) error {
		daemon := app.FindDaemon(ctx, a.Environment, conf)
		if daemon == nil {
			return terminal.Failed(fmt.Errorf("no avsproxy serves from %s", conf.Store.Path), "run 'avsproxy serve' first, or name its configuration with --config")
		}
		defer daemon.CloseIdle()
		err := run(ctx, daemon, arg)
		if err == nil || errors.As(err, new(*terminal.ExitError)) {
			return err
		}
		if again := app.FindDaemon(ctx, a.Environment, conf); again == nil || again.PID != daemon.PID {
			return terminal.Failed(fmt.Errorf("the running proxy (pid %d) has ended", daemon.PID), "start it again, and then this")
		}
		return terminal.Failed(err, "see 'avsproxy status'")
	})
}
