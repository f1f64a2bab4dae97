package app

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"avsproxy/internal/avsroute"
	"avsproxy/internal/charset"
	"avsproxy/internal/console"
	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/terminal"
	"avsproxy/internal/upstream"
	"avsproxy/proxy"
	"avsproxy/tokens"
)

// observers are called for what goes through the pipeline.
type observers struct {
	proxy.Observer
	// connection returns the observer of a route's single connection.
	connection func(route, host string) func(upstream.Event, error)
	// unread hears of requests that could not be read.
	unread   func(problem.Problem)
	metrics  *console.Metrics
	log      *slog.Logger
	errorLog *log.Logger
}

// newObservers counts what goes through the pipeline, writes it down, and prints a line for
// each request; for refusals in their own pace.
func newObservers(ui *terminal.Terminal, refusals *pacedLog, metrics *console.Metrics, recording *captureObserver) observers {
	log := ui.Log
	return observers{
		metrics:    metrics,
		log:        log,
		errorLog:   slog.NewLogLogger(log.Handler(), slog.LevelDebug), // the access log has the same, in better words
		connection: func(route, host string) func(upstream.Event, error) { return logConnection(log, route, host) },
		unread: func(p problem.Problem) {
			metrics.Refused(p.Code.Status())
			refusals.warn(string(p.Code), "a request could not be read", "status", p.Code.Status(), "error", p.Code, "detail", p.Detail)
		},
		Observer: proxy.Observer{
			Began:        metrics.Began,
			Record:       recording.begin,
			ShuttingDown: recording.shuttingDown.Load,
			Ended: func(x *exchange.Exchange, f exchange.Facts) {
				metrics.Done(f.Route, f.Status, f.Took, string(f.Decision))
				logExchange(ui, x.Head, f)
			},
			Refused: func(head *exchange.Head, p problem.Problem) {
				status := p.Code.Status()
				metrics.Refused(status)
				refusals.warn(string(p.Code), requestLine(head.Method, head.Path), "status", status, "error", p.Code, "host", charset.Printable(head.Authority))
			},
		},
	}
}

// logExchange prints the path without the query, which may hold anything. It adds the host
// where the exchange has no route.
func logExchange(ui *terminal.Terminal, head *exchange.Head, f exchange.Facts) {
	path := head.Path
	if f.Route == "" {
		path = head.Address()
	}
	if isOrdinary(&f) && path != "" && ui.LogLine(f.Began.Add(f.Took), func(line []byte) []byte { return appendExchange(line, head.Method, path, head.Proto, &f) }) {
		return
	}
	level := slog.LevelInfo
	args := []any{"status", f.Status, "route", f.Route, "took", terminal.Rounded(f.Took), "bytes", f.Written, "via", head.Proto, "token", f.Decision}
	if f.Decision == exchange.Tunnelled {
		args = append(args, "sent", f.Sent)
	}
	if f.Replayed {
		args = append(args, "replayed", true)
	}
	if f.Fault != nil {
		level = slog.LevelWarn
		args = append(args, "cause", faultText(f.Fault))
	}
	ui.Log.Log(context.Background(), level, requestLine(head.Method, path), args...)
}

// isOrdinary reports whether appendExchange can print an exchange.
func isOrdinary(f *exchange.Facts) bool {
	return f.Fault == nil && !f.Replayed && f.Decision != exchange.Tunnelled && f.Route != "" && f.Decision != ""
}

// appendExchange appends what the log prints of most exchanges, many times as fast.
func appendExchange(line []byte, method, path, proto string, f *exchange.Facts) []byte {
	line = append(append(append(line, charset.Printable(method)...), ' '), charset.Printable(path)...)
	line = strconv.AppendInt(append(line, " status="...), int64(f.Status), 10)
	line = append(append(line, " route="...), f.Route...)
	line = append(append(line, " took="...), terminal.Rounded(f.Took).String()...)
	line = strconv.AppendInt(append(line, " bytes="...), f.Written, 10)
	line = append(append(line, " via="...), proto...)
	return append(append(line, " token="...), f.Decision...)
}

// logRenewals counts the renewals of a credential and prints those that change
// something: a credential that waits for a login would repeat itself with every
// request.
func logRenewals(log *slog.Logger, metrics *console.Metrics, name, loginURL string) func(tokens.Outcome) {
	var last atomic.Value
	return func(outcome tokens.Outcome) {
		again := last.Swap(outcome) == outcome
		if !again || outcome != tokens.OutcomeLoginNeeded { // finding out once more is no renewal
			metrics.Refreshed(name, outcome)
		}
		switch {
		case outcome == tokens.OutcomeRenewed:
			log.Info("token renewed", "credential", name)
		case again || outcome == tokens.OutcomeAdopted:
			return
		case outcome == tokens.OutcomeLoginNeeded:
			log.Error("login needed", "credential", name, "login", loginURL)
		case outcome == tokens.OutcomeFailed:
			log.Warn("the token could not be renewed; trying again", "credential", name)
		case outcome == tokens.OutcomeUnsaved:
			log.Error("the renewed login could not be saved; it serves from memory until it can", "credential", name)
		}
	}
}

// faultText is the message of a [tokens.Error], or else the whole text of the error.
func faultText(err error) string {
	var token *tokens.Error
	if errors.As(err, &token) {
		return token.Error()
	}
	return charset.Printable(err.Error())
}

func requestLine(method, path string) string {
	return strings.TrimSpace(charset.Printable(method) + " " + charset.Printable(path))
}

// logConnection prints what becomes of the connection that a route keeps to: what
// changes something, and not each try.
func logConnection(log *slog.Logger, route, host string) func(upstream.Event, error) {
	log = log.With("route", route, "upstream", host)
	var mu sync.Mutex
	var last upstream.Event
	var why string
	return func(event upstream.Event, cause error) {
		switch event { // whatever came before
		case upstream.Full:
			log.Warn("requests wait for a stream", "cause", charset.Printable(cause.Error()))
			return
		case upstream.Paused:
			log.Error("no connection is tried for a while", "cause", charset.Printable(cause.Error()))
			return
		}
		mu.Lock()
		defer mu.Unlock()
		before, changed := last, cause != nil && why != cause.Error()
		if last = event; cause != nil {
			why = cause.Error()
		}
		switch {
		case event == upstream.Connected && before == upstream.Unreachable:
			log.Info("the upstream is reached again")
		case event == upstream.Connected:
			log.Debug("connected")
		case event == upstream.Unused:
			log.Debug("the upstream ended a connection that nobody used; the next one is made after a pause, or for a request")
		case event == upstream.Left:
			log.Info("the upstream ended the connection, which is usual; requests go over a new one")
		case event == upstream.Lost && before != upstream.Unreachable:
			log.Warn("the connection was lost; connecting anew", "cause", charset.Printable(cause.Error()))
		case event == upstream.Unreachable && (changed || before != upstream.Unreachable):
			log.Warn("the upstream cannot be reached; trying on", "cause", charset.Printable(cause.Error()))
		}
	}
}

func logDownchannel(log *slog.Logger, route string) func(avsroute.DownchannelEvent, error) {
	return func(news avsroute.DownchannelEvent, cause error) {
		switch news {
		case avsroute.DownchannelOpened:
			log.Info("downchannel opened", "route", route)
		case avsroute.DownchannelLost:
			log.Warn("downchannel lost; trying again", "route", route, "cause", faultText(cause))
		case avsroute.DownchannelWaits:
			log.Warn("the downchannel waits for a login", "route", route)
		case avsroute.DownchannelSkipped:
			log.Warn("a part of the downchannel was not passed on", "route", route, "cause", faultText(cause))
		}
	}
}
