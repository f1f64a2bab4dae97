package avsroute

import (
	"time"

	"avsproxy/internal/upstream"
)

const (
	steady    = 10 * time.Second // what has been open for so long was no failure
	loginBeat = 20 * time.Second // between looks whether a login was made
)

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
