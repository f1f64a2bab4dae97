package upstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// pauses are the times between tries to connect, as Amazon's own clients have
// them; the last one repeats.
var pauses = [...]time.Duration{
	250 * time.Millisecond, time.Second, 3 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second,
}

const (
	// At most triesMost tries may fail, or end badly, in triesSpan, which devices are
	// tested for.
	triesMost = 50
	triesSpan = 10 * time.Minute
	// askedPause is the least time between a try that failed and the next, when a
	// request waits for it.
	askedPause = time.Second
	// lastsLeast is how long a connection has to last to be no failure.
	lastsLeast = time.Second
	// unneededMost is how long a connection that nobody used may have lasted for its
	// successor to have to wait.
	unneededMost = time.Minute
)

// A backOff says when to try to connect again. It is not safe for concurrent use.
type backOff struct {
	failures int           // in a row, and connections that nobody used
	unneeded bool          // the last was one of these
	made     time.Time     // when the last try succeeded
	failed   time.Time     // when the last one failed, or what it made ended
	pause    time.Duration // after that
	err      error         // of that try, or why what it made ended
	budget   Budget
}

// A connEnd is how a connection ended.
type connEnd struct {
	cause  error
	tried  time.Time // when it was begun to be made
	used   bool      // it had requests
	served bool      // the upstream answered one, or took it
	well   bool      // the upstream ended it in good order
}

// end notes how a try ended.
func (b *backOff) end(now time.Time, err error) {
	if err == nil {
		b.made = now
	} else {
		b.fail(now, err)
	}
}

// lost notes that a connection ended. One that served and ended in good order costs
// nothing; nor does one that nobody used, but it is not made again at once, except for a
// request. Others count as failures, without a pause where they had lasted.
func (b *backOff) lost(now time.Time, e connEnd) {
	lasted := now.Sub(b.made) >= lastsLeast
	switch {
	case b.isUnneeded(now, e):
		b.budget.refund(e.tried)
		b.rest(now, e.cause, true)
	case e.well && (e.served || lasted):
		b.budget.refund(e.tried)
		b.failures, b.err = 0, e.cause
	case lasted:
		b.failures, b.err = 0, e.cause
	default:
		b.fail(now, e.cause)
	}
}

func (b *backOff) isUnneeded(now time.Time, e connEnd) bool {
	return e.well && !e.used && now.Sub(b.made) < unneededMost
}

func (b *backOff) fail(now time.Time, err error) { b.rest(now, err, false) }

// rest begins the next pause.
func (b *backOff) rest(now time.Time, why error, unneeded bool) {
	b.pause = PauseAfter(b.failures)
	b.failures++
	b.failed, b.err, b.unneeded = now, why, unneeded
}

// wait is how long the next try has to wait; less if a request waits for it.
func (b *backOff) wait(now time.Time, asked bool) time.Duration {
	var wait time.Duration
	if b.failures > 0 {
		wait = b.pause
		switch {
		case asked && b.unneeded:
			wait = 0
		case asked:
			wait = min(wait, askedPause)
		}
		wait -= now.Sub(b.failed)
	}
	return max(wait, b.budget.Wait(now))
}

// A spentError says that no connection is tried for a while.
type spentError struct {
	until time.Time
	wait  time.Duration // until then
	last  error         // why the last one failed, or was lost
}

// Error tells what was spent, and until when.
func (e *spentError) Error() string {
	return fmt.Sprintf("%d connections failed or were lost within %.0f minutes; no other is tried before %s",
		triesMost, triesSpan.Minutes(), e.until.Local().Format(time.TimeOnly))
}

// Unwrap says that nothing was sent.
func (e *spentError) Unwrap() error { return connectError{e.last} }

// spent returns the error while the budget is spent; nil = it is not.
func (b *backOff) spent(now time.Time) error {
	if wait := b.budget.Wait(now); wait > 0 {
		return &spentError{now.Add(wait), wait, b.err}
	}
	return nil
}

// A Budget says whether a try is left. It is not safe for concurrent use.
type Budget struct{ tries []time.Time } // the latest triesMost

// Spend notes a try.
func (b *Budget) Spend(now time.Time) {
	b.tries = append(b.tries, now)
	b.tries = b.tries[max(0, len(b.tries)-triesMost):]
}

// refund takes back what was spent at a time: it came to nothing bad.
func (b *Budget) refund(at time.Time) {
	if i := slices.IndexFunc(b.tries, at.Equal); i >= 0 {
		b.tries = slices.Delete(b.tries, i, i+1)
	}
}

// Wait is how long there is none; zero = there is one.
func (b *Budget) Wait(now time.Time) time.Duration {
	if len(b.tries) < triesMost {
		return 0
	}
	return max(0, triesSpan-now.Sub(b.tries[0]))
}

// pauseAfter is the pause after a failure, before which there were some in a row.
func PauseAfter(before int) time.Duration { return jittered(pauses[min(before, len(pauses)-1)]) }

// jittered keeps devices that lost their connections together from coming back together,
// by a factor of 0.67 to 1.5.
func jittered(pause time.Duration) time.Duration {
	return time.Duration(float64(pause) * (0.67 + 0.83*rand.Float64()))
}

// sleep waits until d is over, or somebody wakes it; false = it was ctx that ended it.
func Sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
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

// explain says also why the last connection failed, or ended.
func (e *spentError) explain(host string) (detail, hint string) {
	why, hint := "the upstream ended it", spentHint
	switch {
	case IsTimeout(e.last):
		why = "the upstream did not answer in time"
	case isLost(e.last):
		why = "it was cut"
	case errors.As(e.last, new(connectError)):
		why, hint = Describe(e.last)
	}
	return host + ": " + e.Error() + "; the last one: " + why, hint
}
