package app

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/terminal"
)

// startBackground starts what goes on in the background for as long as 'serve' runs.
func startBackground(ctx context.Context, s *Server) error {
	firstTokens(ctx, s.program)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, keep := range s.background {
		running.Go(func() { keep(ctx) })
	}
	s.closers = append(s.closers, func() { cancel(); running.Wait() })
	return nil
}

// credentialTask joins all that listens to a credential's renewals, and returns what
// keeps its login alive.
func credentialTask(s *Server, c *Credential, metrics *console.Metrics) (keep func(context.Context)) {
	log, url := s.env.UI.Log, s.loginURL(c.Conf.Name)
	tell := logRenewals(log, metrics, c.Conf.Name, url)
	remind := &reminder{
		source: c.Source, command: c.Conf.OnLoginNeeded, every: c.Conf.LoginReminder,
		loginURL: url, log: log, needed: make(chan struct{}, 1),
	}
	c.Source.Outcome = func(outcome string) {
		s.capture.recorder.SecretsChanged() // before anybody sends the new token
		tell(outcome)
		remind.notify(outcome)
		if outcome == "renewed" {
			warnSkew(log, c)
		}
	}
	return func(ctx context.Context) {
		var running sync.WaitGroup
		running.Go(func() { c.Source.Warm(ctx) })
		if len(remind.command) > 0 {
			remind.notify(string(c.Source.Status().State))
			running.Go(func() { remind.run(ctx) })
		}
		warnExpiry(ctx, log, c)
		running.Wait()
	}
}

// warnSkew warns of a clock that is wrong enough to matter.
func warnSkew(log *slog.Logger, c *Credential) {
	if c.Client == nil {
		return
	}
	if ahead := c.Client.Skew(); ahead.Abs() > maxSkew {
		log.Warn(terminal.ClockSkew(ahead), "credential", c.Conf.Name)
	}
}

// maxSkew is what no network's delay explains.
const maxSkew = 2 * time.Minute

// warnExpiry warns once a day of a login that ends soon, where that can be known.
func warnExpiry(ctx context.Context, log *slog.Logger, c *Credential) {
	for c.Source.MaxAge > 0 {
		if end := c.Source.Status().Ends; !end.IsZero() && time.Until(end) < terminal.EndsSoon {
			log.Warn(terminal.LoginEnd(end), "credential", c.Conf.Name)
		}
		if !sleep(ctx, 24*time.Hour) {
			return
		}
	}
}

// firstTokens lets credentials that need nobody get their first token while 'serve'
// starts, for as long as that is short. Their failures are told like all others.
func firstTokens(ctx context.Context, p *Program) {
	ctx, cancel := context.WithTimeout(ctx, firstTokensTimeout)
	defer cancel()
	for _, credential := range p.credentials {
		routed := slices.ContainsFunc(p.conf.Routes, func(r config.Route) bool { return r.Credential == credential.Conf.Name })
		if credential.NonInteractive() && routed {
			_, _ = credential.Source.Token(ctx)
		}
	}
}

// firstTokensTimeout is for how long starting waits for tokens that nobody asked for yet.
const firstTokensTimeout = 3 * time.Second
