package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"avsproxy/internal/console"
	"avsproxy/internal/problem"
	"avsproxy/internal/terminal"
	"avsproxy/proxy"
	"avsproxy/tokens"
)

// newObservers counts what goes through the pipeline, writes it down, and prints a line for
// each request; for refusals in their own pace.
func newObservers(log *slog.Logger, refusals *pacedLog, metrics *console.Metrics, scribe *captureObserver) observers {
	return observers{
		metrics:  metrics,
		log:      log,
		errorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // the lines below tell the same, better
		refused: func(r *http.Request, p problem.Problem) {
			status := p.Code.Status()
			metrics.Refused(status)
			refusals.warn(string(p.Code), requestLine(r.Method, r.URL.EscapedPath()), "status", status, "error", p.Code, "host", terminal.Printable(r.Host))
		},
		connection: func(route, host string) func(proxy.LinkEvent, error) { return logConnection(log, route, host) },
		record:     scribe.begin,
		began: func(route string) func(proxy.Exchange) {
			metrics.Began(route)
			return func(e proxy.Exchange) {
				metrics.Done(e.Route, e.Status, e.Took, string(e.Decision))
				logExchange(log, e)
			}
		},
	}
}

func logExchange(log *slog.Logger, e proxy.Exchange) {
	level := slog.LevelInfo
	args := []any{"status", e.Status, "route", e.Route, "took", terminal.Rounded(e.Took), "bytes", e.Written, "via", e.Proto, "token", e.Decision}
	if e.Decision == proxy.Tunnelled {
		args = append(args, "sent", e.Sent)
	}
	if e.Replayed {
		args = append(args, "replayed", true)
	}
	if e.Fault != nil {
		level = slog.LevelWarn
		args = append(args, "cause", faultText(e.Fault))
	}
	log.Log(context.Background(), level, requestLine(e.Method, e.Path), args...)
}

// logRenewals counts the renewals of a credential and prints those that change
// something: a credential that waits for a login would repeat itself with every
// request.
func logRenewals(log *slog.Logger, metrics *console.Metrics, name, loginURL string) func(outcome string) {
	var last atomic.Value
	return func(outcome string) {
		again := last.Swap(outcome) == outcome
		if !again || outcome != "login_needed" { // finding out once more is no renewal
			metrics.Refreshed(name, outcome)
		}
		switch {
		case outcome == "renewed":
			log.Info("token renewed", "credential", name)
		case again || outcome == "adopted":
			return
		case outcome == "login_needed":
			log.Error("login needed", "credential", name, "login", loginURL)
		case outcome == "failed":
			log.Warn("the token could not be renewed; trying again", "credential", name)
		case outcome == "unsaved":
			log.Error("the renewed login could not be saved; it serves from memory until it can", "credential", name)
		}
	}
}

// faultText keeps to the sentence where the error has one of ours.
func faultText(err error) string {
	var token *tokens.Error
	if errors.As(err, &token) {
		return token.Error()
	}
	return terminal.Printable(err.Error())
}

func requestLine(method, path string) string {
	return strings.TrimSpace(terminal.Printable(method) + " " + terminal.Printable(path))
}
