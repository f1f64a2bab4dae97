package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/tokens"

	"github.com/spf13/cobra"
)

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout [NAME]",
		Short: "Forget a login (the default route's, if none is named)",
		Long: `Forget a login. It is removed here whatever the provider says; where the
provider has a revocation endpoint (revoke_url) it is told first.`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.configured(config.LoadBeside, func(ctx context.Context, conf *config.Config, name string) error {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			return a.logout(ctx, conf, name)
		}),
	}
}

func (a *app) logout(ctx context.Context, conf *config.Config, name string) error {
	if beside := a.running(ctx, conf); beside != nil {
		var done api.LogoutDone
		if err := beside.call(ctx, http.MethodDelete, withCredential("/api/login", name), &done); err != nil {
			return err
		}
		a.sayLoggedOut(conf, done.WasLoggedIn)
		return nil
	}
	program, err := a.build(conf, standIf(conf.Sandbox))
	if err != nil {
		return err
	}
	credential, err := program.find(name)
	if err != nil {
		return err
	}
	err = credential.source.Forget(ctx)
	if err != nil && !errors.Is(err, tokens.ErrNoGrant) {
		return failed(err, "")
	}
	a.sayLoggedOut(conf, err == nil)
	return nil
}

func (a *app) sayLoggedOut(conf *config.Config, was bool) {
	if !was {
		a.ui.say("avsproxy: there was no login")
		return
	}
	a.ui.say("avsproxy: logged out")
	if !conf.Sandbox {
		a.ui.hint("the consent itself is taken back in the account settings at the provider; at Amazon under \"Login with Amazon\"")
	}
}
