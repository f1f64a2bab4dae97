package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"

	"github.com/spf13/cobra"
)

type tokenFlags struct {
	minTTL time.Duration
	asJSON bool
	header bool
}

func tokenCommand(a *commands) *cobra.Command {
	var flags tokenFlags
	cmd := &cobra.Command{
		Use:   "token [NAME]",
		Short: "Print a live access token (the default route's, if no credential is named)",
		Long: `Print a live access token on stdout, renewing it first where it has ended. Exit
code 3 means that a person is needed, for a login or for a new refresh token in the
configuration; 4 that it could not be renewed. With --min-ttl the token that there
is is printed then, too.`,
		Example: `  avsproxy token
  curl -H "$(avsproxy token --header)" https://api.example.com/
  avsproxy token github --min-ttl 10m --json`,
		Args:              arguments("[NAME]"),
		ValidArgsFunction: completeCredential(a),
		RunE:              a.configured(config.LoadWithoutSecrets, flags.run),
	}
	cmd.Flags().Var((*duration)(&flags.minTTL), "min-ttl", "renew the token if it lives for less than this `DURATION`, such as 10m")
	cmd.Flags().BoolVar(&flags.asJSON, "json", false, "print access_token, expires_at and credential as JSON")
	cmd.Flags().BoolVar(&flags.header, "header", false, "print the whole header line, for 'curl -H'")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if flags.asJSON && flags.header {
			return terminal.Usage(errors.New("--json and --header exclude each other"), "give one of them")
		}
		if flags.minTTL < 0 {
			return terminal.Usage(fmt.Errorf("--min-ttl: %v is negative", flags.minTTL), "give a duration such as 10m")
		}
		return nil
	}
	return cmd
}

func (f *tokenFlags) run(ctx context.Context, a *commands, conf *config.Config, name string) error {
	program, err := buildBeside(ctx, a, conf)
	if err != nil {
		return err
	}
	credential, err := program.Find(name)
	if err != nil {
		return err
	}
	if conf.Store.Kind == "memory" && credential.Client != nil {
		return terminal.Failed(errors.New("the store is memory: only the running proxy knows the token"), "set kind = \"file\" in [store] to use it from other commands")
	}
	if err := openSource(credential); err != nil {
		return err
	}
	defer program.AwaitRenewals() // also where a signal ends the wait
	token, err := credential.Source.Fresh(ctx, f.minTTL)
	if err != nil && token.Access.IsZero() {
		return tokenFailed(program, credential, err)
	}
	left := time.Until(token.Expiry)
	if !token.Expiry.IsZero() && left < f.minTTL {
		a.UI.Warn("the token lives for "+terminal.Roughly(left)+" only", "")
	}
	if printErr := f.print(a, credential, token); printErr != nil {
		return terminal.Failed(printErr, "")
	}
	if tokens.LoginNeeded(err) {
		return tokenFailed(program, credential, err)
	}
	return terminal.Unreachable(err, hintOf(err)) // nil if the token is as fresh as was asked for
}

// openSource is for a command that ends with its renewal.
func openSource(credential *app.Credential) error {
	credential.Source.MustSave, credential.Source.WaitForResponse = true, true
	return terminal.Failed(credential.Source.Load(), "")
}

func hintOf(err error) string {
	var e *tokens.Error
	if errors.As(err, &e) {
		return e.Hint
	}
	if exit := (*terminal.ExitError)(nil); errors.As(err, &exit) {
		return exit.Hint
	}
	return ""
}

// buildBeside builds the program for a command that works without
// listeners; in sandbox mode it needs the sandbox of a running proxy.
func buildBeside(ctx context.Context, a *commands, conf *config.Config) (*app.Program, error) {
	if !conf.Sandbox {
		return app.Build(a.Environment, conf, app.Resolved{})
	}
	daemon := app.FindDaemon(ctx, a.Environment, conf)
	if daemon == nil || daemon.Sandbox == nil {
		return nil, terminal.LoginNeeded(app.ErrNoSandbox, "run 'avsproxy serve'; it logs in to its sandbox by itself")
	}
	return app.Build(a.Environment, conf, app.Resolved{Sandbox: daemon.Sandbox})
}

func (f *tokenFlags) print(a *commands, credential *app.Credential, token tokens.Token) error {
	switch {
	case f.asJSON:
		return json.NewEncoder(a.stdout).Encode(struct {
			AccessToken string     `json:"access_token"`
			ExpiresAt   *time.Time `json:"expires_at"`
			Credential  string     `json:"credential"`
		}{token.Access.Reveal(), api.Instant(token.Expiry), credential.Conf.Name})
	case f.header:
		_, err := fmt.Fprintf(a.stdout, "%s: %s\n", credential.Conf.Header, token.Fill(credential.Conf.Format))
		return err
	}
	_, err := fmt.Fprintln(a.stdout, token.Access.Reveal())
	return err
}

func tokenFailed(p *app.Program, credential *app.Credential, err error) error {
	var e *tokens.Error
	switch {
	case errors.Is(err, context.Canceled) || !errors.As(err, &e):
		return err
	case credential.Remote != nil && e.Action == tokens.ActionLogin:
		return terminal.LoginNeeded(e, e.Hint)
	case credential.Remote != nil && e.Action != tokens.ActionConfig:
		return terminal.Unreachable(e, e.Hint) // no login is kept here
	case e.Action == tokens.ActionLogin && credential.NonInteractive():
		return terminal.LoginNeeded(e, "put a new refresh token into the configuration")
	case e.Action == tokens.ActionLogin:
		return terminal.LoginNeeded(e, "run '"+p.LoginCommand(credential)+"'")
	case e.Action == tokens.ActionConfig:
		return terminal.Failed(e, e.Hint)
	}
	return terminal.Unreachable(e, laterHint(e))
}

// laterHint is for a command that ends now and does not try again.
func laterHint(e *tokens.Error) string {
	if e.RetryAfter > time.Second {
		return "the login is kept; try again in " + terminal.Roughly(e.RetryAfter)
	}
	return "the login is kept; check the network and try again"
}
