package avsroute

import (
	"context"
	"time"

	"avsproxy/internal/upstream"
	"avsproxy/tokens"
)

const (
	steady    = 10 * time.Second // what has been open for so long was no failure
	loginBeat = 20 * time.Second // between looks whether a login was made
)

// Run keeps the channel open until ctx ends, and then ends its clients. It may be
// called once.
func (d *Downchannel) Run(ctx context.Context) {
	defer d.end()
	var pace, leaving pace
	var budget upstream.Budget
	told := false // of this outage
	for ctx.Err() == nil {
		if !upstream.Sleep(ctx, budget.Wait(time.Now()), nil) {
			return
		}
		opened, err := d.runOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		told = told && opened.IsZero()
		if err == errLeft {
			upstream.Sleep(ctx, leaving.afterLeaving(opened, time.Now()), nil)
			continue
		}
		if tokens.LoginNeeded(err) {
			d.fail(err, DownchannelWaits, !told)
			told = true
			upstream.Sleep(ctx, loginBeat, d.kicked)
			continue
		}
		budget.Spend(time.Now())
		pause := pace.after(opened, time.Now(), isGraceful(err))
		if pause > 0 {
			if err == nil {
				err = errShort
			}
			d.fail(err, DownchannelLost, !told)
			told = true
		}
		upstream.Sleep(ctx, pause, nil)
	}
}

// fail notes why the channel is not open, and tells of it once.
func (d *Downchannel) fail(err error, news DownchannelEvent, tell bool) {
	d.change(func(s *channelState) { s.failed, s.failure = s.failed+1, err })
	if tell {
		d.options.OnEvent(news, upstream.Cause(err))
	}
}

// end leaves nobody waiting.
func (d *Downchannel) end() {
	d.change(func(s *channelState) { s.open, s.ended, s.failure = false, true, errClosed })
	d.clients.end()
}

// A pace says how long to wait after a channel has ended. The zero value begins.
type pace struct {
	failures int  // in a row
	atOnce   bool // the last try was one without a pause
}

// afterLeaving is the pause after a channel that was left for the next connection. Those
// cost nothing where they have served: without a pause, an upstream that says goodbye
// behind each answer would be given one connection after the other.
func (p *pace) afterLeaving(opened, now time.Time) time.Duration {
	switch {
	case !opened.IsZero() && now.Sub(opened) >= steady:
		*p = pace{}
		return 0
	case !p.atOnce:
		p.atOnce = true
		return 0
	}
	p.failures++
	return upstream.PauseAfter(p.failures - 1)
}

// after is the pause after a channel that ended now; opened is zero where it had
// not opened. One that ends in good order as soon as it opens is no better than a
// failure.
func (p *pace) after(opened, now time.Time, graceful bool) time.Duration {
	long := !opened.IsZero() && now.Sub(opened) >= steady
	if long {
		p.failures, p.atOnce = 0, false
	}
	if !opened.IsZero() && graceful && !p.atOnce {
		p.failures, p.atOnce = 0, true
		return 0
	}
	p.atOnce = false
	p.failures++
	return upstream.PauseAfter(p.failures - 1)
}
