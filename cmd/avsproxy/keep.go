package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/console"
)

// keepLogins starts what goes on in the background for as long as 'serve' runs.
func (s *server) keepLogins(ctx context.Context) error {
	s.program.proveSoon(ctx)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, keep := range s.keepers {
		running.Go(func() { keep(ctx) })
	}
	s.closers = append(s.closers, func() { cancel(); running.Wait() })
	return nil
}

// keeper joins all that listens to a credential's renewals, and returns what
// keeps its login alive.
func (s *server) keeper(c *credential, metrics *console.Metrics) (keep func(context.Context)) {
	log, url := s.env.ui.log, s.loginURL(c.conf.Name)
	tell := tellRenewals(log, metrics, c.conf.Name, url)
	remind := &reminder{
		source: c.source, command: c.conf.OnLoginNeeded, every: c.conf.LoginReminder,
		loginURL: url, log: log, needed: make(chan struct{}, 1),
	}
	c.source.Outcome = func(outcome string) {
		s.scribe.recorder.SecretsChanged() // before anybody sends the new token
		tell(outcome)
		remind.hear(outcome)
		if outcome == "renewed" {
			tellSkew(log, c)
		}
	}
	return func(ctx context.Context) {
		var running sync.WaitGroup
		running.Go(func() { c.source.Warm(ctx) })
		if len(remind.command) > 0 {
			remind.hear(string(c.source.Status().State))
			running.Go(func() { remind.run(ctx) })
		}
		tellAge(ctx, log, c)
		running.Wait()
	}
}

// tellSkew warns of a clock that is wrong enough to matter.
func tellSkew(log *slog.Logger, c *credential) {
	if c.client == nil {
		return
	}
	if ahead := c.client.Skew(); ahead.Abs() > skewTold {
		log.Warn(clockText(ahead), "credential", c.conf.Name)
	}
}

// skewTold is what no network's delay explains.
const skewTold = 2 * time.Minute

// tellAge warns once a day of a login that ends soon, where that can be known.
func tellAge(ctx context.Context, log *slog.Logger, c *credential) {
	for c.source.MaxAge > 0 {
		if end := c.source.Status().Ends; !end.IsZero() && time.Until(end) < endSoon {
			log.Warn("the login ends "+day(end)+endHint(end, time.Now()), "credential", c.conf.Name)
		}
		if !sleep(ctx, 24*time.Hour) {
			return
		}
	}
}

// proveSoon lets credentials that need nobody get their first token while 'serve'
// starts, for as long as that is short. Their failures are told like all others.
func (p *program) proveSoon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, provePatience)
	defer cancel()
	for _, credential := range p.credentials {
		routed := slices.ContainsFunc(p.conf.Routes, func(r config.Route) bool { return r.Credential == credential.conf.Name })
		if credential.unasked() && routed {
			_, _ = credential.source.Token(ctx)
		}
	}
}

// provePatience is for how long starting waits for tokens that nobody asked for yet.
const provePatience = 3 * time.Second
