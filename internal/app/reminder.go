package app

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

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

// notify is told how renewals end; it does not wait.
func (r *reminder) notify(outcome string) {
	if outcome != "login_needed" {
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

// stillNeeded is true too while a token outlives its refused login. It also finds the login that another process made meanwhile. Where
// the provider has said no, it asks the store alone.
func (r *reminder) stillNeeded(ctx context.Context) bool {
	_, err := r.source.Token(ctx)
	drain(r.needed) // asking had the need told once more
	return tokens.LoginNeeded(err) || r.source.Status().Failure.NeedsLogin()
}

func (r *reminder) runHook(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, r.command[0], r.command[1:]...)
	command.Env = append(os.Environ(), "AVSPROXY_LOGIN_URL="+r.loginURL, "AVSPROXY_CREDENTIAL="+r.source.Name)
	if err := command.Run(); err != nil {
		r.log.Warn("on_login_needed failed; run it by hand to see why", "credential", r.source.Name, "command", terminal.Printable(r.command[0]), "cause", terminal.Printable(err.Error()))
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
