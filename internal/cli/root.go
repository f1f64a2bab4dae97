package cli

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"avsproxy/internal/app"
	"avsproxy/internal/config"

	"github.com/spf13/cobra"
)

func (a *commands) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "avsproxy",
		Short: "A local proxy that adds the OAuth 2.0 credential a client cannot get",
		Long: `avsproxy lets plain curl, an old client or a browserless device use an API that
wants OAuth 2.0: point it at localhost, and avsproxy sends the request on with a
live bearer token, over HTTP/2 where the API speaks it.

Start with 'avsproxy serve'. As shipped it talks to an embedded stand-in for the
Alexa Voice Service, so that everything works without an account.`,
		Version:       app.Version(),
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.stdout)
	root.SetErr(a.UI.Out)
	root.PersistentFlags().StringVar(&a.configPath, "config", "", "the configuration `FILE` (default: $AVSPROXY_CONFIG, ./config.toml, $XDG_CONFIG_HOME/avsproxy/config.toml)")
	root.AddCommand(
		serveCommand(a), loginCommand(a), logoutCommand(a), tokenCommand(a),
		statusCommand(a), explainCommand(a), tailCommand(a), harCommand(a), replayCommand(a), runCommand(a), caCommand(a), a.configCommand(), sandboxCommand(a), a.versionCommand(),
	)
	return root
}

// A loader is [config.Load] or [config.LoadWithoutSecrets].
type loader func(path string, getenv func(string) string) (*config.Config, error)

// load is load for commands that use the state folder.
func (a *commands) load(load loader) (*config.Config, error) {
	conf, err := load(a.configPath, a.Getenv)
	if err != nil {
		return nil, err
	}
	return app.PrepareStateFolder(a.Environment, conf)
}

// configured makes a command of one that needs the configuration. name is the
// command's one argument, "" where it has none.
func (a *commands) configured(load loader, run func(ctx context.Context, conf *config.Config, name string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		conf, err := a.load(load)
		if err != nil {
			return err
		}
		unsetSecretVariables(conf)
		return run(cmd.Context(), conf, strings.Join(args, ""))
	}
}

func (a *commands) configCommand() *cobra.Command {
	parent := &cobra.Command{Use: "config", Short: "Look after the configuration", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	parent.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "Check the configuration and list everything that is wrong with it",
		Args:  cobra.NoArgs,
		RunE: a.configured(config.Load, func(_ context.Context, conf *config.Config, _ string) error {
			_, err := fmt.Fprintf(a.stdout, "%s is fine: %s, %s\n", conf.File,
				plural(len(conf.Routes), "route"), plural(len(conf.Credentials), "credential"))
			return err
		}),
	})
	return parent
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (a *commands) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(a.stdout, "avsproxy %s (%s, %s/%s)\n", app.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
