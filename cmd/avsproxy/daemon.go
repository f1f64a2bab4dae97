package main

import (
	"context"

	"avsproxy/internal/config"
)

// running finds the proxy that serves this configuration's state folder; nil = none
// does.
func (e *environment) running(ctx context.Context, conf *config.Config) *running {
	found, err := findRunning(ctx, conf.Store.Path)
	if err != nil {
		if _, told := e.told.LoadOrStore(runFilePath(conf.Store.Path), true); !told {
			e.ui.warn("a running proxy cannot be found: "+err.Error(), "move it away; the next 'avsproxy serve' writes it anew")
		}
	}
	return found
}
