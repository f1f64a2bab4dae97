package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
)

func serveCommand(a *commands) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy and its console",
		Long: `Run the proxy and its console until SIGINT (Ctrl-C) or SIGTERM. Requests under
way then get 10 seconds to finish; a second signal ends everything at once.`,
		Args: cobra.NoArgs,
		RunE: a.configured(config.Load, func(ctx context.Context, a *commands, conf *config.Config, _ string) error {
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
	s.WarnOfWeakLogins()
	return s.Wait(ctx)
}

type readyLine struct {
	Proxy   []string    `json:"proxy"`
	Console string      `json:"console"`
	Routes  []api.Route `json:"routes"`
}

func announceReady(a *commands, conf *config.Config, r app.Readiness, asJSON bool) {
	if asJSON {
		// Nobody may be reading stdout, which must not stop the proxy.
		_ = json.NewEncoder(a.stdout).Encode(readyLine{r.Proxy, r.Console, r.Routes})
	}
	var text strings.Builder // written in one call so that log lines cannot interleave
	say := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	say("avsproxy %s is ready%s", app.Version(), map[bool]string{true: ": sandbox mode, no account needed"}[conf.Sandbox])
	for _, address := range app.LocalhostURLs(r.Proxy) {
		say("  proxy    %s for %s", address, r.Users.Proxy)
	}
	say("  console  %s for %s", api.LocalhostURL(r.Console), r.Users.Console)
	if r.Inspector != "" {
		say("  inspect  %s opens the inspector, once", r.Inspector)
	}
	for i, route := range r.Routes {
		say("  route    %s", routeText(route, conf.Routes[i], conf.Sandbox))
	}
	for _, status := range r.Tokens {
		say("  token    %s: %s", status.Name, terminal.TokenText(status))
	}
	switch {
	case r.LoginCommand == "":
	case r.LoginURL == "":
		say("Log in first: run '%s'", r.LoginCommand)
	default:
		say("Log in first: open %s in a browser, or run '%s'", r.LoginURL, r.LoginCommand)
	}
	say("Try:")
	say("  curl -i %s", r.Try)
	a.UI.Say("%s", strings.TrimSuffix(text.String(), "\n"))
}

func routeText(route api.Route, configured config.Route, sandbox bool) string {
	text := route.Name + " -> " + route.Upstream
	if sandbox {
		text += " (the sandbox, in the place of " + configured.Upstream + ")"
	}
	if route.Credential == "" {
		return text + ", no credential"
	}
	return text + ", credential " + route.Credential
}
