package proxy

import (
	"context"
	"math/rand/v2"
	"time"
)

// pauses are the times between tries to connect, as Amazon's own clients have
// them; the last one repeats.
var pauses = [...]time.Duration{
	250 * time.Millisecond, time.Second, 3 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second,
}

const (
	// At most triesMost tries are made in triesSpan, which devices are tested for.
	triesMost = 50
	triesSpan = 10 * time.Minute
	// askedPause is the least time between a try that failed and the next, when a
	// request waits for it.
	askedPause = time.Second
	// lastsLeast is how long a connection has to last to be no failure.
	lastsLeast = time.Second
)

// A backOff says when to try to connect again. It is not safe for concurrent use.
type backOff struct {
	failures int           // in a row
	made     time.Time     // when the last try succeeded
	failed   time.Time     // when the last one failed, or what it made was lost
	pause    time.Duration // after that
	err      error         // of that try, or why what it made was lost
	budget   budget
}

// end notes how it ended.
func (b *backOff) end(now time.Time, err error) {
	if err == nil {
		b.made = now
	} else {
		b.fail(now, err)
	}
}

// lost notes that a connection was lost, or left.
func (b *backOff) lost(now time.Time, cause error) {
	if now.Sub(b.made) >= lastsLeast {
		b.failures, b.err = 0, cause
	} else {
		b.fail(now, cause)
	}
}

func (b *backOff) fail(now time.Time, err error) {
	b.pause = pauseAfter(b.failures)
	b.failures++
	b.failed, b.err = now, err
}

// wait is how long the next try has to wait; less if a request waits for it.
func (b *backOff) wait(now time.Time, asked bool) time.Duration {
	var wait time.Duration
	if b.failures > 0 {
		wait = b.pause
		if asked {
			wait = min(wait, askedPause)
		}
		wait -= now.Sub(b.failed)
	}
	return max(wait, b.budget.wait(now))
}

// A budget says whether a try is left. It is not safe for concurrent use.
type budget struct{ tries []time.Time } // the latest triesMost

// spend notes a try.
func (b *budget) spend(now time.Time) {
	b.tries = append(b.tries, now)
	b.tries = b.tries[max(0, len(b.tries)-triesMost):]
}

// wait is how long there is none; zero = there is one.
func (b *budget) wait(now time.Time) time.Duration {
	if len(b.tries) < triesMost {
		return 0
	}
	return max(0, triesSpan-now.Sub(b.tries[0]))
}

// pauseAfter is the pause after a failure, before which there were some in a row. It
// keeps devices that lost their connections together from coming back together, by a
// factor of 0.67 to 1.5.
func pauseAfter(before int) time.Duration {
	pause := pauses[min(before, len(pauses)-1)]
	return time.Duration(float64(pause) * (0.67 + 0.83*rand.Float64()))
}

// sleep waits until d is over, or somebody wakes it; false = it was ctx that ended it.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
	case <-wake:
	case <-ctx.Done():
		return false
	}
	return true
}
