package proxy

import (
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
	tries    []time.Time   // of the last triesSpan
}

// begin notes a try.
func (b *backOff) begin(now time.Time) {
	for len(b.tries) > 0 && now.Sub(b.tries[0]) >= triesSpan {
		b.tries = b.tries[1:]
	}
	b.tries = append(b.tries, now)
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
	b.pause = jitter(pauses[min(b.failures, len(pauses)-1)])
	b.failures++
	b.failed, b.err = now, err
}

// jitter keeps devices that lost their connections together from coming back
// together: it multiplies by 0.67 to 1.5.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.67 + 0.83*rand.Float64()))
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
	if b.spent(now) {
		wait = max(wait, triesSpan-now.Sub(b.tries[len(b.tries)-triesMost]))
	}
	return max(0, wait)
}

// spent reports whether all tries were made that the time allows.
func (b *backOff) spent(now time.Time) bool {
	return len(b.tries) >= triesMost && now.Sub(b.tries[len(b.tries)-triesMost]) < triesSpan
}
