package app

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"avsproxy/internal/charset"
	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// startBackground starts what goes on in the background for as long as 'serve' runs.
func startBackground(ctx context.Context, s *Server) error {
	s.ready.Store(true)
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
	logger, page := s.env.UI.Log, s.loginURL(c.Conf.Name)
	tell := logRenewals(logger, metrics, c.Conf.Name, page)
	remind := &reminder{
		source: c.Source, command: c.Conf.OnLoginNeeded, every: c.Conf.LoginReminder,
		loginURL: page, log: logger, needed: make(chan struct{}, 1),
	}
	c.Source.Outcome = func(outcome tokens.Outcome) {
		s.capture.recorder.SecretsChanged() // before anybody sends the new token
		tell(outcome)
		if s.share != nil {
			s.share.Changed(c.Conf.Name)
		}
		remind.notify(outcome)
		if outcome == tokens.OutcomeRenewed {
			warnSkew(logger, c)
		}
	}
	return func(ctx context.Context) {
		var running sync.WaitGroup
		running.Go(func() { c.Source.Warm(ctx) })
		if c.Remote != nil {
			running.Go(func() { c.Remote.Follow(ctx, c.Source) })
		}
		if len(remind.command) > 0 {
			if c.Source.Status().State == tokens.StateLoginNeeded {
				remind.notify(tokens.OutcomeLoginNeeded)
			}
			running.Go(func() { remind.run(ctx) })
		}
		warnExpiry(ctx, logger, c)
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

// firstTokens gets the first token of each credential that needs no login, while 'serve'
// starts. It waits for [firstTokensTimeout]; failures are logged as always.
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

// firstTokensTimeout bounds how long the start waits for first tokens.
const firstTokensTimeout = 3 * time.Second

// hookTimeout bounds one run of an on_login_needed command.
const hookTimeout = 10 * time.Second

// A reminder runs a command when a person has to log in to a credential, and
// again after each interval for as long as that stays so.
type reminder struct {
	source   *tokens.Source
	command  []string
	every    time.Duration // 0 = once for each time that a login is needed
	loginURL string
	log      *slog.Logger
	needed   chan struct{} // has room for one
}

// notify takes the outcome of a renewal. It does not block.
func (r *reminder) notify(outcome tokens.Outcome) {
	if outcome != tokens.OutcomeLoginNeeded {
		return
	}
	select {
	case r.needed <- struct{}{}:
	default:
	}
}

// run reminds until ctx ends.
func (r *reminder) run(ctx context.Context) {
	for {
		select {
		case <-r.needed:
		case <-ctx.Done():
			return
		}
		for first := true; r.stillNeeded(ctx); first = false {
			if first || r.every > 0 {
				r.runHook(ctx)
			}
			if !sleep(ctx, cmp.Or(r.every, time.Minute)) {
				return
			}
		}
	}
}

// stillNeeded is also true while a token outlives its refused login. It finds a login
// that another process made meanwhile. After a refusal it reads only the store.
func (r *reminder) stillNeeded(ctx context.Context) bool {
	_, err := r.source.Token(ctx)
	drain(r.needed) // Token has notified us again
	return tokens.LoginNeeded(err) || r.source.Status().Failure.NeedsLogin()
}

func (r *reminder) runHook(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, r.command[0], r.command[1:]...)
	command.Env = append(os.Environ(), "AVSPROXY_LOGIN_URL="+r.loginURL, "AVSPROXY_CREDENTIAL="+r.source.Name)
	if err := command.Run(); err != nil {
		r.log.Warn("on_login_needed failed; run it by hand to see why", "credential", r.source.Name, "command", charset.Printable(r.command[0]), "cause", charset.Printable(err.Error()))
	}
}

func drain(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// sleep reports whether it slept to its end.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
