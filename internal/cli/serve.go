package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"

	"github.com/pkg/browser"
	"github.com/spf13/cobra"
)

type serveFlags struct {
	config.Overrides
	asJSON, open, quiet bool
	logFormat, logLevel string
}

func serveCommand(a *commands) *cobra.Command {
	var flags serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy and its console",
		Long: `Run the proxy and its console until SIGINT (Ctrl-C) or SIGTERM. Requests under
way then get 10 seconds to finish; a second signal ends everything at once.

Where there is no configuration file, the one that comes with avsproxy holds: the
sandbox, which needs no account and no network.`,
		Example: `  avsproxy serve
  avsproxy serve --listen localhost:8080 --open
  avsproxy serve --log-format json --log-level warn`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.setLog(a); err != nil {
				return err
			}
			return a.configured(toServe(flags.Overrides), flags.run)(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&flags.asJSON, "json", false, "print one line of JSON on stdout when ready")
	cmd.Flags().StringArrayVar(&flags.Listen, "listen", nil, "take requests at this `ADDRESS`, such as localhost:8080 or unix:/path, and not where the configuration says; may be repeated")
	cmd.Flags().StringVar(&flags.Console, "console-listen", "", "show the console at this `ADDRESS`, such as localhost:8081, and not where the configuration says")
	cmd.Flags().BoolVar(&flags.Sandbox, "sandbox", false, "use the embedded sandbox, whatever the configuration says")
	cmd.Flags().BoolVar(&flags.open, "open", false, "open the inspector in a browser")
	cmd.Flags().StringVar(&flags.logFormat, "log-format", "text", "the `FORMAT` of the log: text or json")
	cmd.Flags().StringVar(&flags.logLevel, "log-level", "info", "the least `LEVEL` that is logged: debug, info (each request), warn or error")
	cmd.Flags().BoolVar(&flags.quiet, "quiet", false, "say nothing when ready, and log warnings and errors only")
	cmd.MarkFlagsMutuallyExclusive("quiet", "log-level")
	return cmd
}

// toServe is for commands that serve.
func toServe(over config.Overrides) loader {
	return func(path string, getenv func(string) string) (*config.Config, error) {
		return config.LoadToServe(path, getenv, over)
	}
}

func (f *serveFlags) setLog(a *commands) error {
	switch f.logFormat {
	case "text":
	case "json":
		a.UI.LogJSON()
	default:
		return terminal.Usage(fmt.Errorf("--log-format: there is no format %q", f.logFormat), "write text or json")
	}
	level, known := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}[f.logLevel]
	if !known {
		return terminal.Usage(fmt.Errorf("--log-level: there is no level %q", f.logLevel), "write debug, info, warn or error")
	}
	if f.quiet {
		level = slog.LevelWarn
	}
	a.UI.Level.Set(level)
	return nil
}

// run listens on everything first, then serves, then says that it is ready.
func (f *serveFlags) run(ctx context.Context, a *commands, conf *config.Config, _ string) error {
	ignoreBrokenPipe()
	daemon := app.FindDaemon(ctx, a.Environment, conf)
	if daemon != nil {
		a.UI.Warn(fmt.Sprintf("another avsproxy (pid %d) serves from %s; other commands will speak to that one", daemon.PID, conf.Store.Path),
			"give this one a folder of its own with path in [store]")
	}
	if !f.quiet {
		a.sayBuiltIn(conf)
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
	f.announceReady(a, conf, s.Readiness())
	s.WarnOfWeakLogins()
	if f.open {
		openInspector(ctx, a, s.Daemon())
	}
	return s.Wait(ctx)
}

// openInspector opens the inspector in a browser.
func openInspector(ctx context.Context, a *commands, daemon *api.Daemon) {
	page, err := daemon.Inspector(ctx)
	if err == nil {
		browser.Stdout, browser.Stderr = io.Discard, io.Discard
		err = browser.OpenURL(page)
	}
	if err != nil {
		a.UI.Warn("the inspector could not be opened: "+err.Error(), "run 'avsproxy status', and open the address that it prints")
	}
}

type readyLine struct {
	Proxy   []string    `json:"proxy"`
	Console string      `json:"console"`
	Routes  []api.Route `json:"routes"`
}

func (f *serveFlags) announceReady(a *commands, conf *config.Config, r app.Readiness) {
	if f.asJSON {
		// Nobody may be reading stdout, which must not stop the proxy.
		_ = json.NewEncoder(a.stdout).Encode(readyLine{r.Proxy, r.Console, r.Routes})
	}
	if f.quiet {
		return
	}
	if f.logFormat == "json" {
		a.UI.Log.Info("ready", "version", app.Version(), "proxy", r.Proxy, "console", r.Console, "sandbox", conf.Sandbox)
		return
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
	} else {
		say("  inspect  %s/ shows each request as it passes", api.LocalhostURL(r.Console))
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
		text += ", no credential"
	} else {
		text += ", credential " + route.Credential
	}
	if len(route.Listen) > 0 {
		text += ", at " + strings.Join(app.LocalhostURLs(route.Listen), " ")
	}
	return text
}
