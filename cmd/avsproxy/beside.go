package main

import (
	"context"
	"errors"
	"fmt"

	"avsproxy/internal/config"

	"github.com/spf13/cobra"
)

// besideOnly makes a command of one that is nothing without a running proxy. arg is
// the command's one argument, "" where it has none.
func (a *app) besideOnly(run func(ctx context.Context, beside *running, arg string) error) func(*cobra.Command, []string) error {
	return a.configured(config.LoadBeside, func(ctx context.Context, conf *config.Config, arg string) error {
		beside := a.running(ctx, conf)
		if beside == nil {
			return failed(fmt.Errorf("no avsproxy serves from %s", conf.Store.Path), "run 'avsproxy serve' first, or name its configuration with --config")
		}
		defer beside.closeIdle()
		err := run(ctx, beside, arg)
		if err == nil || errors.As(err, new(*exitError)) {
			return err
		}
		if again := a.running(ctx, conf); again == nil || again.PID != beside.PID {
			return failed(fmt.Errorf("the running proxy (pid %d) has ended", beside.PID), "start it again, and then this")
		}
		return failed(err, "see 'avsproxy status'")
	})
}
