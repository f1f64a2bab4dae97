// Package cli has the commands: it talks to the person at the terminal.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
)

// The commands share what all commands share.
type commands struct {
	*app.Environment
	stdin      io.Reader
	stdout     io.Writer
	configPath string
	// childRuns is set while signals are for the command that 'run' runs.
	childRuns atomic.Bool
}

func newCommands(getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) *commands {
	return &commands{Environment: &app.Environment{Getenv: getenv, UI: terminal.New(stderr, getenv)}, stdin: stdin, stdout: stdout}
}

// Run is the whole program. A first SIGINT or SIGTERM cancels the command's
// context; a second one ends run at once.
func Run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // which nohup does
		signal.Notify(signals, syscall.SIGHUP)
	}
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	a := newCommands(getenv, stdin, stdout, stderr)
	defer a.Cleanup.Run()
	root := a.rootCommand()
	root.SetArgs(args)
	ended := make(chan error, 1)
	command := root // the one that args name; set before ended is written
	go func() {
		var err error
		command, err = root.ExecuteContextC(ctx)
		ended <- err
	}()
	for {
		select {
		case err := <-ended:
			return a.exitCode(ctx, command, err)
		case sig := <-signals:
			switch {
			case a.childRuns.Load():
			case ctx.Err() != nil:
				return signalCode(sig)
			default:
				cancel(signalError{sig})
			}
		}
	}
}

// A signalError is the cause of a context that a signal cancelled.
type signalError struct{ sig os.Signal }

func (e signalError) Error() string { return "ended by " + e.sig.String() }

func signalCode(sig os.Signal) int {
	switch sig {
	case syscall.SIGTERM:
		return 143
	case syscall.SIGHUP:
		return 129
	}
	return 130
}

// exitCode says what is left to say about err and turns it into a code. Errors
// that carry no code come from the command line's parser, and are about command.
func (a *commands) exitCode(ctx context.Context, command *cobra.Command, err error) int {
	var (
		exit       *terminal.ExitError
		complaints config.Issues
		notFound   *config.NotFound
		sig        signalError
	)
	switch {
	case err == nil:
		return terminal.ExitDone
	case errors.As(context.Cause(ctx), &sig):
		return signalCode(sig.sig) // whatever else err says, it is because of the signal
	case errors.As(err, &complaints), errors.As(err, &notFound):
		a.UI.Fail(err, "")
		return terminal.ExitUsage
	case errors.As(err, &exit):
		if exit.Err != nil {
			a.UI.Fail(exit.Err, exit.Hint)
		}
		return exit.Code
	}
	a.UI.Fail(err, fmt.Sprintf("usage: %s; see '%s --help'", command.UseLine(), command.CommandPath()))
	return terminal.ExitUsage
}

// withDaemon makes a command of one that is nothing without a running proxy. arg is
// the command's one argument, "" where it has none.
func withDaemon(a *commands, run func(ctx context.Context, daemon *api.Daemon, arg string) error) func(*cobra.Command, []string) error {
	return a.configured(config.LoadWithoutSecrets, func(ctx context.Context, conf *config.Config, arg string) error {
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
