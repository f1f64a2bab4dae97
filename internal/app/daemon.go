package app

import (
	"context"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
)

// FindDaemon finds the proxy that serves this configuration's state folder; nil = none
// does.
func FindDaemon(ctx context.Context, e *Environment, conf *config.Config) *api.Daemon {
	found, err := api.FindDaemon(ctx, conf.Store.Path)
	if err != nil {
		if _, told := e.warned.LoadOrStore(api.RunFilePath(conf.Store.Path), true); !told {
			e.UI.Warn("a running proxy cannot be found: "+err.Error(), "move it away; the next 'avsproxy serve' writes it anew")
		}
	}
	return found
}
