package main

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"avsproxy/internal/console"
	"avsproxy/internal/problem"
	"avsproxy/proxy"
	"avsproxy/tokens"
)

// watch counts what goes through the pipeline and prints a line for each request.
func watch(log *slog.Logger, metrics *console.Metrics) watcher {
	return watcher{
		metrics:  metrics,
		errorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // the lines below tell the same, better
		refused: func(r *http.Request, p problem.Problem) {
			status := p.Code.Status()
			metrics.Refused(status)
			log.Warn(requestLine(r.Method, r.URL.EscapedPath()), "status", status, "error", p.Code, "host", printable(r.Host))
		},
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
	args := []any{"status", e.Status, "route", e.Route, "took", rounded(e.Took), "bytes", e.Written, "via", e.Proto, "token", e.Decision}
	if e.Fault != nil {
		level = slog.LevelWarn
		args = append(args, "cause", faultText(e.Fault))
	}
	log.Log(nil, level, requestLine(e.Method, e.Path), args...)
}

// faultText keeps to the sentence where the error has one of ours.
func faultText(err error) string {
	var token *tokens.Error
	if errors.As(err, &token) {
		return token.Error()
	}
	return printable(err.Error())
}

func requestLine(method, path string) string { return printable(method) + " " + printable(path) }

// printable bounds what clients can put into a log line, in length and kind.
func printable(text string) string {
	const most = 256
	clean := make([]rune, 0, min(len(text), most))
	for _, r := range text {
		if len(clean) == most {
			break
		}
		if r < 0x20 || r == 0x7f {
			r = '?'
		}
		clean = append(clean, r)
	}
	return string(clean)
}

func rounded(d time.Duration) time.Duration {
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
