package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/certs"
	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/peer"
	"avsproxy/tokens"
)

// A localLogin is a login whose callback this process takes.
type localLogin struct {
	api.LoginBegun
	login  *tokens.Login
	desk   *desk
	server *http.Server
	begun  context.Context
}

// beginLocalLogin returns nil where a login that another process finished after began
// has done what was asked.
func (e *environment) beginLocalLogin(ctx context.Context, conf *config.Config, name string, byDevice func(config.Credential) bool, began time.Time) (*localLogin, error) {
	desk := &desk{logins: &tokens.Logins{}, errorLog: quiet()}
	free, err := desk.takeFreePort(conf)
	if err != nil {
		return nil, err
	}
	program, err := e.build(conf, nil)
	if err != nil {
		return nil, err
	}
	credential, err := program.find(name)
	if err != nil {
		return nil, err
	}
	if credential.source.Peek().LoggedIn.After(began) {
		e.ui.say("avsproxy: the other login was to %s too, and succeeded", credential.conf.Name)
		return nil, nil
	}
	program.warnOfPKCE(credential)
	leaf, err := e.callbackLeaf(ctx, conf)
	if err != nil {
		return nil, err
	}
	users := peer.LocalUsers()
	desk.limit = pagesLimit(users, func() {}) // who has no log to tell it to
	pages := &console.Console{
		Version: version(), Credentials: program.consoleCredentials(),
		Users: users, Hosts: program.conf.Console.Hosts,
		Logins: desk.logins, Begin: desk.begin, Fingerprint: certs.Fingerprint(leaf.Leaf),
	}
	desk.handler, desk.tls = pages.Guarded(nil), certs.FixedConfig(leaf)
	server := newPages(desk.handler, desk.errorLog)
	serveOn(server, limited(free, desk.limit), desk.tls)
	shown := credential.shown()
	login, err := desk.begin(ctx, shown, byDevice(credential.conf))
	if err != nil {
		shutDown(server)
		return nil, loginFailed(err)
	}
	return &localLogin{LoginBegun: pages.Begun(shown, login), login: login, desk: desk, server: server, begun: ctx}, nil
}

func (l *localLogin) wait(ctx context.Context) (lasting bool, err error) {
	defer context.AfterFunc(ctx, l.login.Cancel)()
	err = l.login.Wait(ctx)
	return err == nil && l.login.Lasting(), err
}

// paste delivers a callback that the person brought.
func (l *localLogin) paste(ctx context.Context, asked *url.URL) error {
	_, err := l.desk.logins.Callback(ctx, asked)
	l.login.Shown() // in this terminal
	return err
}

// close keeps the process alive for the page after the callback.
func (l *localLogin) close() {
	ctx, cancel := context.WithTimeout(context.Background(), shownPatience)
	defer cancel()
	if over, _ := l.login.Done(); over && l.login.Device == nil && l.begun.Err() == nil {
		l.login.WaitShown(ctx)
	}
	l.desk.close()
	shutDown(l.server)
}

func (e *environment) callbackLeaf(ctx context.Context, conf *config.Config) (*tls.Certificate, error) {
	roots, err := e.authority(ctx, conf)
	if err != nil {
		return nil, err
	}
	leaf, err := roots.Callback(conf.Store.Path)
	if err != nil {
		return nil, failed(err, "")
	}
	return leaf, nil
}

// loginFailed chooses the exit code for a login that came to nothing.
func loginFailed(err error) error {
	var e *tokens.Error
	switch {
	case errors.Is(err, context.Canceled), errors.As(err, new(*exitError)):
		return err
	case !errors.As(err, &e):
		return failed(err, "")
	case e.Action == tokens.ActionRetry || e.Action == tokens.ActionWait:
		return &exitError{exitUnreachable, e, e.Hint}
	}
	return failed(e, e.Hint)
}
