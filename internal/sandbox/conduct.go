package sandbox

import (
	"context"
	"time"

	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/sandbox/frames"
)

// conduct is how AVS treats a connection as a whole.
type conduct struct {
	faults *faults.Set
}

// begin is told of each connection before its first byte.
func (k *conduct) begin(c *frames.Conn) {
	for _, f := range k.faults.StrikeAll(faults.Connection) {
		after(c, f.After, func() { inflict(c, f) })
	}
}

// after does something to a connection that still lives then.
func after(c *frames.Conn, d time.Duration, do func()) *time.Timer {
	timer := time.AfterFunc(d, do)
	context.AfterFunc(c.Context(), func() { timer.Stop() })
	return timer
}
