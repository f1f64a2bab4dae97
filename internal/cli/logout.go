package cli

import (
	"context"
	"errors"
	"net/http"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"

	"github.com/spf13/cobra"
)

func logoutCommand(a *commands) *cobra.Command {
	return &cobra.Command{
		Use:   "logout [NAME]",
		Short: "Forget a login (the default route's, if none is named)",
		Long: `Forget a login. It is removed here whatever the provider says; where the
provider has a revocation endpoint (revoke_url) it is told first.`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.configured(config.LoadWithoutSecrets, func(ctx context.Context, conf *config.Config, name string) error {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			return runLogout(ctx, a, conf, name)
		}),
	}
}

func runLogout(ctx context.Context, a *commands, conf *config.Config, name string) error {
	if daemon := app.FindDaemon(ctx, a.Environment, conf); daemon != nil {
		var done api.LogoutDone
		if err := daemon.Call(ctx, http.MethodDelete, api.WithCredential("/api/login", name), &done); err != nil {
			return err
		}
		sayLoggedOut(a, conf, done.WasLoggedIn)
		return nil
	}
	program, err := app.Build(a.Environment, conf, app.Resolved{Sandbox: app.StoppedSandbox(conf.Sandbox)})
	if err != nil {
		return err
	}
	credential, err := program.Find(name)
	if err != nil {
		return err
	}
	err = credential.Source.Logout(ctx)
	if err != nil && !errors.Is(err, tokens.ErrNoGrant) {
		return terminal.Failed(err, "")
	}
	sayLoggedOut(a, conf, err == nil)
	return nil
}

func sayLoggedOut(a *commands, conf *config.Config, was bool) {
	if !was {
		a.UI.Say("avsproxy: there was no login")
		return
	}
	a.UI.Say("avsproxy: logged out")
	if !conf.Sandbox {
		a.UI.Hint("the consent itself is taken back in the account settings at the provider; at Amazon under \"Login with Amazon\"")
	}
}
