// Package cli has the commands: it talks to the person at the terminal.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
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
	defer a.UI.Flush()
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

// signalCode is what shells report of a command that a signal ended.
func signalCode(sig os.Signal) int { return 128 + int(sig.(syscall.Signal)) }

// exitCode says what is left to say about err and turns it into a code. Errors
// that carry no code come from the command line's parser, and are about command.
func (a *commands) exitCode(ctx context.Context, command *cobra.Command, err error) int {
	var exit *terminal.ExitError
	var sig signalError
	switch {
	case err == nil:
		return terminal.ExitDone
	case errors.As(context.Cause(ctx), &sig):
		return signalCode(sig.sig) // whatever else err says, it is because of the signal
	case errors.As(err, new(config.Issues)), errors.As(err, new(*config.NotFound)):
		a.UI.Fail(err, "")
		return terminal.ExitUsage
	case errors.As(err, &exit):
		if exit.Err != nil {
			a.UI.Fail(exit.Err, exit.Hint)
		}
		return exit.Code
	}
	a.UI.Fail(err, usageHint(command))
	return terminal.ExitUsage
}

// withDaemon makes a command of one that is nothing without a running proxy. arg is
// the command's one argument, "" where it has none.
func (a *commands) withDaemon(run func(ctx context.Context, a *commands, daemon *api.Daemon, arg string) error) func(*cobra.Command, []string) error {
	return a.configured(config.LoadWithoutSecrets, func(ctx context.Context, a *commands, conf *config.Config, arg string) error {
		daemon := app.FindDaemon(ctx, a.Environment, conf)
		if daemon == nil {
			return terminal.Failed(fmt.Errorf("no avsproxy serves from %s", conf.Store.Path), "run 'avsproxy serve' first, or name its configuration with --config")
		}
		defer daemon.CloseIdle()
		err := run(ctx, a, daemon, arg)
		if err == nil || errors.As(err, new(*terminal.ExitError)) {
			return err
		}
		if again := app.FindDaemon(ctx, a.Environment, conf); again == nil || again.PID != daemon.PID {
			return terminal.Failed(fmt.Errorf("the running proxy (pid %d) has ended", daemon.PID), "start it again, and then this")
		}
		return terminal.Failed(err, "see 'avsproxy status'")
	})
}

func (a *commands) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "avsproxy",
		Short: "A local proxy that adds the OAuth 2.0 credential a client cannot get",
		Long: `avsproxy lets plain curl, an old client or a browserless device use an API that
wants OAuth 2.0: point it at localhost, and avsproxy sends the request on with a
live bearer token, over HTTP/2 where the API speaks it.

Start with 'avsproxy serve'. As shipped it talks to an embedded stand-in for the
Alexa Voice Service, so that everything works without an account.`,
		Example: `  avsproxy serve
  curl -i http://localhost:9744/ping`,
		Version:       app.Version(),
		Args:          arguments(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(terminal.WrapLines(a.stdout))
	root.SetErr(a.UI.Out)
	root.PersistentFlags().StringVar(&a.configPath, "config", "", "the configuration `FILE` (default: $AVSPROXY_CONFIG, ./config.toml, $XDG_CONFIG_HOME/avsproxy/config.toml)")
	root.AddCommand(
		initCommand(a), serveCommand(a), loginCommand(a), logoutCommand(a), tokenCommand(a),
		statusCommand(a), explainCommand(a), doctorCommand(a), healthCommand(a), tailCommand(a), harCommand(a), replayCommand(a), runCommand(a), caCommand(a), a.configCommand(), sandboxCommand(a), manCommand(a), a.versionCommand(),
	)
	root.SetFlagErrorFunc(badFlag)
	root.SetHelpCommand(helpCommand(root))
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Args = arguments()
		completion.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	return root
}

// A loader is [config.Load], [config.LoadToServe] with its overrides, or [config.LoadWithoutSecrets].
type loader func(path string, getenv func(string) string) (*config.Config, error)

// load is load for commands that use the state folder. Where there is no configuration and none
// is named, that of the running proxy holds.
func (a *commands) load(ctx context.Context, load loader) (*config.Config, error) {
	conf, err := load(a.configPath, a.Getenv)
	if missing, ok := errors.AsType[*config.NotFound](err); ok && missing.By == "" {
		conf, err = a.loadOfDaemon(ctx, load)
	}
	if err != nil {
		return nil, err
	}
	return app.PrepareStateFolder(a.Environment, conf)
}

// loadOfDaemon is the configuration of the proxy that serves from the usual state folder, or
// else the one that comes with the program.
func (a *commands) loadOfDaemon(ctx context.Context, load loader) (*config.Config, error) {
	conf, err := config.BuiltIn(a.Getenv)
	if err != nil {
		return nil, err
	}
	daemon := app.FindDaemon(ctx, a.Environment, conf)
	if daemon == nil || daemon.Config == "" {
		return conf, nil
	}
	daemon.CloseIdle()
	conf, err = load(daemon.Config, a.Getenv)
	if missing, ok := errors.AsType[*config.NotFound](err); ok {
		missing.By = "the running proxy"
	}
	return conf, err
}

// nameOf is how messages call the configuration.
func nameOf(conf *config.Config) string { return cmp.Or(conf.File, config.BuiltInName) }

// sayBuiltIn says that there is no configuration file, and where one may be.
func (a *commands) sayBuiltIn(conf *config.Config) {
	if conf.File == "" {
		a.UI.Say("avsproxy: there is no %s; this is the configuration that comes with avsproxy, and 'avsproxy init' writes one for your API", strings.Join(config.Searched(a.Getenv), ", and no "))
	}
}

// configured makes a command of one that needs the configuration. name is the
// command's one argument, "" where it has none.
func (a *commands) configured(load loader, run func(ctx context.Context, a *commands, conf *config.Config, name string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		conf, err := a.load(cmd.Context(), load)
		if err != nil {
			return err
		}
		unsetSecretVariables(conf)
		return run(cmd.Context(), a, conf, strings.Join(args, ""))
	}
}

func (a *commands) configCommand() *cobra.Command {
	parent := &cobra.Command{Use: "config", Short: "Look after the configuration", Example: "  avsproxy config check\n  avsproxy config show --origin", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	parent.AddCommand(&cobra.Command{
		Use:     "check",
		Short:   "Check the configuration and list everything that is wrong with it",
		Example: "  avsproxy config check\n  avsproxy config check --config other.toml",
		Args:    arguments(),
		RunE: a.configured(config.Load, func(_ context.Context, a *commands, conf *config.Config, _ string) error {
			_, err := fmt.Fprintf(a.stdout, "%s is fine: %s, %s\n", nameOf(conf),
				terminal.Count(len(conf.Routes), "route"), terminal.Count(len(conf.Credentials), "credential"))
			return err
		}),
	})
	var origins bool
	show := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration as it holds, with defaults and without secrets",
		Long: `Print the configuration as it holds, as TOML: with what the file leaves out, and
with *** in the place of secrets and of what may be one. With --origin each line
says where its value comes from.`,
		Example: "  avsproxy config show --origin",
		Args:    arguments(),
		RunE: a.configured(config.LoadWithoutSecrets, func(_ context.Context, a *commands, conf *config.Config, _ string) error {
			_, err := io.WriteString(a.stdout, conf.Show(origins))
			return terminal.Failed(err, "")
		}),
	}
	show.Flags().BoolVar(&origins, "origin", false, "say where each value comes from: file and line, preset, or default")
	parent.AddCommand(show)
	return parent
}

func (a *commands) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  avsproxy version",
		Args:    arguments(),
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(a.stdout, "avsproxy %s (%s, %s/%s)\n", app.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

// Snapshot is like [os.Getenv] for the environment as it is now. As there, the first
// of two entries counts.
func Snapshot(environ []string) func(string) string {
	values := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if _, known := values[name]; !known {
			values[name] = value
		}
	}
	return func(name string) string { return values[name] }
}

// unsetSecretVariables takes the variables that hold secrets out of the environment that
// this process's children inherit, whoever starts them. The configuration reads them
// from a snapshot.
func unsetSecretVariables(conf *config.Config) {
	for _, name := range conf.SecretVariables {
		_ = os.Unsetenv(name) // fails for no name that a configuration can have
	}
}

// ignoreBrokenPipe keeps this process alive when the reader of its stdout or stderr has
// ended, as in "serve 2>&1 | head". Otherwise a write to them ends a Go program (see
// [os/signal]), which is right for commands that only print. The signal is caught, not
// ignored, since children would inherit that.
func ignoreBrokenPipe() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}
