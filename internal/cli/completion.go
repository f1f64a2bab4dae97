package cli

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/filter"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
)

// What completion offers behind commands and flags. It says nothing where it finds nothing.

const noFiles = cobra.ShellCompDirectiveNoFileComp

// completeCredential offers the credentials of the configuration.
func completeCredential(a *commands) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		conf := a.toComplete(cmd)
		if conf == nil || len(args) > 0 {
			return nil, noFiles
		}
		var names []string
		for name, credential := range conf.Credentials {
			names = append(names, name+"\t"+cmp.Or(credential.Provider, credential.Grant))
		}
		slices.Sort(names)
		return names, noFiles
	}
}

// completeExchange offers the latest exchanges of the running proxy.
func completeExchange(a *commands) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		conf := a.toComplete(cmd)
		if conf == nil || len(args) > 0 {
			return nil, noFiles
		}
		ctx := cmp.Or(cmd.Context(), context.Background())
		daemon := app.FindDaemon(ctx, a.Environment, conf)
		if daemon == nil {
			return nil, noFiles
		}
		defer daemon.CloseIdle()
		var list api.Exchanges
		if daemon.Call(ctx, http.MethodGet, "/api/exchanges?limit=20", nil, &list) != nil {
			return nil, noFiles
		}
		var ids []string
		for _, s := range slices.Backward(list.Exchanges) {
			id := strconv.FormatUint(s.ID, 10)
			s.ID = 0 // it is there already
			ids = append(ids, id+"\t"+string(terminal.AppendExchange(nil, &s, false)))
		}
		return ids, noFiles | cobra.ShellCompDirectiveKeepOrder
	}
}

// toComplete is the configuration that the command would have; nil = there is none.
func (a *commands) toComplete(cmd *cobra.Command) *config.Config {
	conf, err := config.LoadWithoutSecrets(a.configPath, a.Getenv)
	if missing, ok := errors.AsType[*config.NotFound](err); ok && missing.By == "" {
		conf, err = a.loadOfDaemon(cmp.Or(cmd.Context(), context.Background()), config.LoadWithoutSecrets)
	}
	if err != nil {
		return nil
	}
	return conf
}

func (a *commands) routeNames(cmd *cobra.Command) (names []string) {
	if conf := a.toComplete(cmd); conf != nil {
		for _, route := range conf.Routes {
			names = append(names, route.Name)
		}
	}
	return names
}

// completeFilter offers the keys of filters.
func completeFilter(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	const flags = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	var words []string
	if strings.HasPrefix(typed, "is:") {
		for _, kind := range filter.Kinds() {
			words = append(words, "is:"+kind)
		}
		return words, flags
	}
	for _, key := range filter.Keys() {
		words = append(words, key+":")
	}
	return words, flags
}
