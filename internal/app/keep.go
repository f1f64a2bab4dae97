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

// keepLogins starts what goes on in the background for as long as 'serve' runs.
func (s *Server) keepLogins(ctx context.Context) error {
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
func (s *Server) keeper(c *Credential, metrics *console.Metrics) (keep func(context.Context)) {
	log, url := s.env.UI.Log, s.loginURL(c.Conf.Name)
	tell := tellRenewals(log, metrics, c.Conf.Name, url)
	remind := &reminder{
		source: c.Source, command: c.Conf.OnLoginNeeded, every: c.Conf.LoginReminder,
		loginURL: url, log: log, needed: make(chan struct{}, 1),
	}
	c.Source.Outcome = func(outcome string) {
		s.scribe.recorder.SecretsChanged() // before anybody sends the new token
		tell(outcome)
		remind.hear(outcome)
		if outcome == "renewed" {
			tellSkew(log, c)
		}
	}
	return func(ctx context.Context) {
		var running sync.WaitGroup
		running.Go(func() { c.Source.Warm(ctx) })
		if len(remind.command) > 0 {
			remind.hear(string(c.Source.Status().State))
			running.Go(func() { remind.run(ctx) })
		}
		tellAge(ctx, log, c)
		running.Wait()
	}
}

// tellSkew warns of a clock that is wrong enough to matter.
func tellSkew(log *slog.Logger, c *Credential) {
	if c.Client == nil {
		return
	}
	if ahead := c.Client.Skew(); ahead.Abs() > skewTold {
		log.Warn(terminal.ClockText(ahead), "credential", c.Conf.Name)
	}
}

// skewTold is what no network's delay explains.
const skewTold = 2 * time.Minute

// tellAge warns once a day of a login that ends soon, where that can be known.
func tellAge(ctx context.Context, log *slog.Logger, c *Credential) {
	for c.Source.MaxAge > 0 {
		if end := c.Source.Status().Ends; !end.IsZero() && time.Until(end) < terminal.EndSoon {
			log.Warn("the login ends "+terminal.Day(end)+terminal.EndHint(end, time.Now()), "credential", c.Conf.Name)
		}
		if !sleep(ctx, 24*time.Hour) {
			return
		}
	}
}

// proveSoon lets credentials that need nobody get their first token while 'serve'
// starts, for as long as that is short. Their failures are told like all others.
func (p *Program) proveSoon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, provePatience)
	defer cancel()
	for _, credential := range p.credentials {
		routed := slices.ContainsFunc(p.conf.Routes, func(r config.Route) bool { return r.Credential == credential.Conf.Name })
		if credential.Unasked() && routed {
			_, _ = credential.Source.Token(ctx)
		}
	}
}

// provePatience is for how long starting waits for tokens that nobody asked for yet.
const provePatience = 3 * time.Second
