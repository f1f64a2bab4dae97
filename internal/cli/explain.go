package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/explain"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
)

func explainCommand(a *commands) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain METHOD URL",
		Short: "Say what becomes of a request: its route, its token, its upstream, and why",
		Long: `Say what becomes of a request, without sending it: which route takes it and why,
whether 'allow' lets it through, which token it gets and how that stands, where
it goes, over which protocols, and what is sent again. A running 'serve' is asked
where there is one; else the configuration and the store tell.

The URL is a path alone (asked of localhost), one of the proxy's own
(http://localhost:9744/..., http://NAME.localhost:9744/...), or any other, as a
client asks for it that has the proxy set (curl -x, HTTPS_PROXY).`,
		Example: `  avsproxy explain GET /ping
  avsproxy explain POST https://alexa.na.gateway.devices.a2z.com/v20160207/events`,
		Args: arguments("METHOD", "URL"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return cobra.NoFileCompletions(cmd, args, typed)
			}
			return completeMethod(cmd, args, typed)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			conf, err := a.load(cmd.Context(), config.LoadWithoutSecrets)
			if err != nil {
				return err
			}
			x, err := runExplain(cmd.Context(), a, conf, args[0], args[1])
			if err != nil {
				return err
			}
			if asJSON {
				return indented(a.stdout, x)
			}
			return explain.Print(a.stdout, x)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the explanation as JSON")
	return cmd
}

// runExplain asks the running proxy, or else decides by itself.
func runExplain(ctx context.Context, a *commands, conf *config.Config, method, target string) (*explain.Explanation, error) {
	if _, err := explain.ParseRequest(method, target, explain.ListenAddrs(conf.Proxy.Listen)); err != nil {
		return nil, terminal.Usage(err, "see 'avsproxy explain --help'")
	}
	if daemon := app.FindDaemon(ctx, a.Environment, conf); daemon != nil {
		defer daemon.CloseIdle()
		x := new(explain.Explanation)
		query := url.Values{"method": {method}, "url": {target}}
		err := daemon.Call(ctx, http.MethodGet, "/api/explain?"+query.Encode(), nil, x)
		if err != nil && !errors.As(err, new(*terminal.ExitError)) {
			err = terminal.Failed(err, "see 'avsproxy status'")
		}
		return x, err
	}
	program, err := app.Build(a.Environment, conf, app.Resolved{Sandbox: app.StoppedSandbox(conf.Sandbox)})
	if err != nil {
		return nil, err
	}
	explainer, err := app.NewExplainer(program, app.ListenedAt(conf), "you")
	if err != nil {
		return nil, err
	}
	return explainer.Explain(method, target)
}

func indented(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

var completeMethod = cobra.FixedCompletions([]string{"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT"}, cobra.ShellCompDirectiveNoFileComp)
