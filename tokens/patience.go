package tokens

import (
	"context"
	"time"
)

// answerPatience is for how long the answer to a token request is waited for. It
// may hold the only refresh token that is left, so this is longer than any caller
// waits.
const answerPatience = 5 * time.Minute

// patience returns a context that ends, with [context.DeadlineExceeded] as its
// cause, after d of running time. A process that was stopped, or starved, does not
// find its time over while the answer lies in its socket: a wait that took far
// longer than it should have does not count.
func patience(d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		step := min(time.Second, d)
		for left := d; left > 0; {
			began := time.Now()
			select {
			case <-time.After(step):
			case <-ctx.Done():
				return
			}
			if time.Since(began) < 2*step {
				left -= step
			}
		}
		cancel(context.DeadlineExceeded)
	}()
	return ctx, func() { cancel(nil) }
}
