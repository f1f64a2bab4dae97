package terminal

import (
	"time"

	"avsproxy/tokens"
)

func TokenText(status tokens.Status) string {
	switch {
	case status.State == tokens.StateUnknown && status.Renewable:
		return "ended, renewed with the first request"
	case status.State == tokens.StateFailing:
		return status.Failure.Error()
	case status.State != tokens.StateReady:
		return "login needed"
	case status.Expiry.IsZero():
		return "never ends"
	case status.Renewable:
		return "live until " + Clock(status.Expiry) + ", renewed by itself"
	}
	return "live until " + Clock(status.Expiry) + ", then a new login is needed"
}

// EndsSoon is how long before the end of a login a person is told.
const EndsSoon = 14 * 24 * time.Hour

func LoginEndText(end, now time.Time) string {
	if end.Before(now) {
		return ", by what refresh_token_max_age says; log in again"
	}
	text := " (in " + Roughly(end.Sub(now)) + ")"
	if end.Sub(now) < EndsSoon {
		text += "; log in again before"
	}
	return text
}

func ClockText(ahead time.Duration) string {
	way := "ahead of"
	if ahead < 0 {
		way = "behind"
	}
	return "this machine's clock is " + Roughly(ahead.Abs()) + " " + way + " the provider's; set it, for APIs may refuse requests that carry a time"
}
