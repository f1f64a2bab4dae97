package app

import (
	"cmp"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"avsproxy/internal/avsroute"
	"avsproxy/internal/capture"
	"avsproxy/internal/charset"
	"avsproxy/internal/console"
	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/redact"
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
	recorder *capture.Recorder // nil = capture is off
	log      *slog.Logger
	errorLog *log.Logger
}

// newObservers counts what goes through the pipeline, writes it down, and prints a line for
// each request; for refusals in their own pace.
func newObservers(ui *terminal.Terminal, refusals *pacedLog, metrics *console.Metrics, recording *captureObserver, secrets *redact.Live) observers {
	log := ui.Log
	return observers{
		metrics:    metrics,
		recorder:   recording.recorder,
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
				logExchange(ui, secrets, x, &f)
			},
			Refused: func(head *exchange.Head, p problem.Problem) {
				metrics.Refused(p.Code.Status())
				logRefusal(ui, refusals, secrets, head, p)
			},
		},
	}
}

// logExchange prints an exchange that has ended, as 'avsproxy tail' does.
func logExchange(ui *terminal.Terminal, secrets *redact.Live, x *exchange.Exchange, f *exchange.Facts) {
	level, cause := slog.LevelInfo, ""
	if f.Fault != nil {
		level, cause = slog.LevelWarn, faultText(f.Fault)
	}
	s := summaryOf(x, f)
	s.Target = loggedTarget(secrets, s.Target)
	ui.LogExchange(level, &s, cause)
}

// logRefusal prints a request that was not let in.
func logRefusal(ui *terminal.Terminal, refusals *pacedLog, secrets *redact.Live, head *exchange.Head, p problem.Problem) {
	leftOut, ok := refusals.allows(string(p.Code))
	if !ok {
		return
	}
	cause := ""
	if leftOut > 0 {
		cause = fmt.Sprintf("%d more like it were left out before", leftOut)
	}
	ui.LogExchange(slog.LevelWarn, &capture.Summary{
		Method: head.Method, Scheme: cmp.Or(head.Scheme, "http"), Host: head.Authority, Target: loggedTarget(secrets, head.Target), Began: time.Now(),
		Status: p.Code.Status(), Proto: head.Proto, Decision: exchange.Refused, Error: string(p.Code),
	}, cause)
}

// loggedTarget is a target without its secrets: a log may be kept for long.
func loggedTarget(secrets *redact.Live, target string) string {
	return redact.Query(secrets.Recent().Text(target))
}

// summaryOf is an exchange as the capture sums it up, which may be off.
func summaryOf(x *exchange.Exchange, f *exchange.Facts) capture.Summary {
	head := x.Head
	s := capture.Summary{
		Route: f.Route, Method: head.Method, Scheme: cmp.Or(head.Scheme, "http"), Host: head.Authority, Target: head.Target, Status: f.Status,
		State: capture.StateDone, Began: f.Began, TookMS: float64(f.Took) / float64(time.Millisecond), Proto: head.Proto,
		Decision: f.Decision, Error: f.Error, Ended: f.Ended, RequestBytes: f.Sent, ResponseBytes: f.Written, Replayed: f.Replayed,
	}
	if recorded, ok := x.Recorder.(*capture.Exchange); ok {
		s.ID = recorded.ID()
	}
	return s
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
