package proxy

import (
	"context"
	"time"

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
	var pace pace
	told := false // of this outage
	for ctx.Err() == nil {
		if !d.sleep(ctx, pace.budget(time.Now()), nil) {
			return
		}
		opened, err := d.hold(ctx)
		if ctx.Err() != nil {
			return
		}
		told = told && opened.IsZero()
		if err == errLeft { // connections have a pace of their own
			continue
		}
		if tokens.LoginNeeded(err) {
			d.fail(err, DownchannelWaits, !told)
			told = true
			d.sleep(ctx, loginBeat, d.kicked)
			continue
		}
		pace.tried(time.Now())
		pause := pace.after(opened, time.Now(), isGraceful(err))
		if pause > 0 {
			if err == nil {
				err = errShort
			}
			d.fail(err, DownchannelLost, !told)
			told = true
		}
		d.sleep(ctx, pause, nil)
	}
}

// fail notes why the channel is not open, and tells of it once.
func (d *Downchannel) fail(err error, news DownchannelNews, tell bool) {
	d.change(func(s *channelState) { s.failed, s.failure = s.failed+1, err })
	if tell {
		d.options.Tell(news, cause{err})
	}
}

// sleep reports whether it was not ctx that ended it.
func (d *Downchannel) sleep(ctx context.Context, pause time.Duration, kicked <-chan struct{}) bool {
	if pause <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-kicked:
	case <-ctx.Done():
		return false
	}
	return true
}

// end leaves nobody waiting.
func (d *Downchannel) end() {
	d.change(func(s *channelState) { s.open, s.ended, s.failure = false, true, errClosed })
	d.clients.end()
}

// A pace says when to try again.
type pace struct {
	step   int
	atOnce bool // the last try was one without a pause
	tries  []time.Time
}

// tried notes a try that went to the upstream.
func (p *pace) tried(now time.Time) {
	p.tries = append(p.tries, now)
	p.tries = p.tries[max(0, len(p.tries)-triesMost):]
}

// budget is how long no try is left.
func (p *pace) budget(now time.Time) time.Duration {
	if len(p.tries) < triesMost {
		return 0
	}
	return p.tries[0].Add(triesSpan).Sub(now)
}

// after is the pause after a channel that ended now; opened is zero where it had
// not opened. One that ends in good order as soon as it opens is no better than a
// failure.
func (p *pace) after(opened, now time.Time, graceful bool) time.Duration {
	long := !opened.IsZero() && now.Sub(opened) >= steady
	if long {
		p.step, p.atOnce = 0, false
	}
	if !opened.IsZero() && graceful && !p.atOnce {
		p.step, p.atOnce = 0, true
		return 0
	}
	p.atOnce = false
	pause := pauses[min(p.step, len(pauses)-1)]
	p.step++
	return jitter(pause)
}
