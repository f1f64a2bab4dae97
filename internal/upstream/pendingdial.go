package upstream

import (
	"context"
	"errors"
	"time"
)

var errGoodbye = errors.New("the upstream ended the connection")

var errNoStreams = errors.New("the upstream allows no streams on a new connection")

// A pendingDial is shared by all that wait for it. Its result is fixed once done is
// closed.
type pendingDial struct {
	tried  time.Time // when it began
	wanted bool      // by a request, and not by the keeper alone; under the pool's lock
	done   chan struct{}
	link   *pooledConn
	err    error
}

func (d *pendingDial) wait(ctx context.Context) (*pooledConn, error) {
	select {
	case <-d.done:
		return d.link, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
