package app

import (
	"context"
	"crypto/tls"
	"errors"
	"net/url"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/certs"
	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/httpserver"
	"avsproxy/internal/peer"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// A localLogin is a login whose callback this process takes.
type localLogin struct {
	api.LoginBegun
	login     *tokens.Login
	callbacks *callbackListener
	server    *httpserver.Server
	begun     context.Context
}

// BeginLocalLogin returns nil where a login that another process finished after began
// has done what was asked.
func BeginLocalLogin(ctx context.Context, e *Environment, conf *config.Config, name string, byDevice func(config.Credential) bool, began time.Time) (*localLogin, error) {
	callbacks := &callbackListener{logins: &tokens.Logins{}, errorLog: httpserver.DiscardLog()}
	free, err := callbacks.takeFreePort(conf)
	if err != nil {
		return nil, err
	}
	program, err := Build(e, conf, Resolved{ConsolePort: callbacks.consolePort})
	if err != nil {
		return nil, err
	}
	credential, err := program.Find(name)
	if err != nil {
		return nil, err
	}
	if credential.Source.Peek().LoggedIn.After(began) {
		e.UI.Say("avsproxy: the other login was to %s too, and succeeded", credential.Conf.Name)
		return nil, nil
	}
	program.warnOfPKCE(credential)
	pages, err := loginPages(ctx, program, callbacks)
	if err != nil {
		return nil, err
	}
	server := httpserver.NewPages(callbacks.handler, callbacks.errorLog)
	httpserver.Serve(server, limited(free, callbacks.limit), callbacks.tls)
	shown := credential.consoleView()
	login, err := callbacks.begin(ctx, shown, byDevice(credential.Conf))
	if err != nil {
		httpserver.ShutDown(server)
		return nil, LoginFailed(err)
	}
	return &localLogin{LoginBegun: pages.Begun(shown, login), login: login, callbacks: callbacks, server: server, begun: ctx}, nil
}

// loginPages are the pages of a login, which callbacks serves.
func loginPages(ctx context.Context, p *Program, callbacks *callbackListener) (*console.Console, error) {
	leaf, err := callbackLeaf(ctx, p.env, p.conf)
	if err != nil {
		return nil, err
	}
	users := peer.LocalUsers()
	callbacks.limit = pagesLimit(users, func() {}) // there is no log
	pages := &console.Console{
		Version: Version(), Credentials: p.consoleCredentials(),
		Users: users, Hosts: p.conf.Console.Hosts,
		Logins: callbacks.logins, Begin: callbacks.begin, Fingerprint: certs.Fingerprint(leaf.Leaf),
	}
	callbacks.handler, callbacks.tls = pages.Guarded(nil), certs.FixedConfig(leaf)
	return pages, nil
}

// Wait waits for the end of the login. lasting = a refresh token came.
func (l *localLogin) Wait(ctx context.Context) (lasting bool, err error) {
	defer context.AfterFunc(ctx, l.login.Cancel)()
	err = l.login.Wait(ctx)
	return err == nil && l.login.HasRefreshToken(), err
}

// Paste delivers a callback that the person brought.
func (l *localLogin) Paste(ctx context.Context, asked *url.URL) error {
	_, err := l.callbacks.logins.Callback(ctx, asked)
	l.login.MarkSeen() // in this terminal
	return err
}

// Close keeps the process alive for the page after the callback.
func (l *localLogin) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), outcomePageTimeout)
	defer cancel()
	if over, _ := l.login.Done(); over && l.login.Device == nil && l.begun.Err() == nil {
		l.login.AwaitSeen(ctx)
	}
	l.callbacks.close()
	httpserver.ShutDown(l.server)
}

func callbackLeaf(ctx context.Context, e *Environment, conf *config.Config) (*tls.Certificate, error) {
	roots, err := OpenAuthority(ctx, e, conf)
	if err != nil {
		return nil, err
	}
	leaf, err := roots.Callback(conf.Store.Path)
	if err != nil {
		return nil, terminal.Failed(err, "")
	}
	return leaf, nil
}

// LoginFailed chooses the exit code for a login that came to nothing.
func LoginFailed(err error) error {
	var e *tokens.Error
	switch {
	case errors.Is(err, context.Canceled), errors.As(err, new(*terminal.ExitError)):
		return err
	case !errors.As(err, &e):
		return terminal.Failed(err, "")
	case e.Action == tokens.ActionRetry || e.Action == tokens.ActionWait:
		return terminal.Unreachable(e, e.Hint)
	}
	return terminal.Failed(e, e.Hint)
}
