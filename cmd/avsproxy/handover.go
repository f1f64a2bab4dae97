package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/tokens"
)

// beginLogin hands the login over to the running proxy's console.
func (r *running) beginLogin(ctx context.Context, conf *config.Config, name string, flags loginFlags) (*loginAttempt, error) {
	query := url.Values{"by": {"browser"}}
	if name != "" {
		query.Set("credential", name)
	}
	if flags.byDevice(conf.Credentials[cmp.Or(name, conf.Routes[0].Credential)]) {
		query.Set("by", "device")
	}
	attempt := &loginAttempt{close: func() {}}
	if err := r.call(ctx, http.MethodPost, "/api/logins?"+query.Encode(), &attempt.LoginBegun); err != nil {
		return nil, err
	}
	attempt.wait = func(ctx context.Context) (bool, error) { return r.awaitLogin(ctx, attempt.ID) }
	attempt.paste = r.deliver
	return attempt, nil
}

func (r *running) awaitLogin(ctx context.Context, id string) (lasting bool, err error) {
	for {
		var end console.LoginEnded
		err := r.call(ctx, http.MethodGet, "/api/logins/"+id, &end)
		if errors.As(err, new(*url.Error)) && ctx.Err() == nil {
			return false, failed(fmt.Errorf("the running proxy (pid %d) ended before the login did", r.PID), "start it again, or log in without it")
		}
		if err != nil {
			return false, err
		}
		if end.Over && end.Problem != nil {
			return false, &tokens.Error{Action: end.Problem.Action, Code: end.Problem.Code, Say: end.Problem.Detail, Hint: end.Problem.Hint}
		}
		if end.Over {
			return end.Lasting, nil
		}
	}
}

// deliver brings a pasted callback to the console, as the browser would have.
func (r *running) deliver(ctx context.Context, asked *url.URL) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Console+asked.EscapedPath()+"?"+asked.RawQuery, nil)
	if err != nil {
		return err
	}
	req.Header.Set(console.PastedHeader, (&url.URL{Scheme: asked.Scheme, Host: asked.Host, Path: asked.Path, RawPath: asked.RawPath}).String())
	resp, err := r.client.Do(req)
	if err != nil {
		return errors.New(withoutQuery(err))
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusBadRequest {
		return tokens.ErrUnknownState
	}
	return nil
}
