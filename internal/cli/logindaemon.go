package cli

import (
	"cmp"
	"context"
	"net/http"
	"net/url"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
)

// beginDaemonLogin hands the login over to the running proxy's console.
func beginDaemonLogin(ctx context.Context, r *api.Daemon, conf *config.Config, name string, flags loginFlags) (*loginAttempt, error) {
	query := url.Values{"by": {"browser"}}
	if name != "" {
		query.Set("credential", name)
	}
	if flags.byDevice(conf.Credentials[cmp.Or(name, conf.Routes[0].Credential)]) {
		query.Set("by", "device")
	}
	attempt := &loginAttempt{close: func() {}}
	if err := r.Call(ctx, http.MethodPost, "/api/logins?"+query.Encode(), &attempt.LoginBegun); err != nil {
		return nil, err
	}
	attempt.wait = func(ctx context.Context) (bool, error) { return r.AwaitLogin(ctx, attempt.ID) }
	attempt.paste = r.Deliver
	return attempt, nil
}
