package tokens

import (
	"context"
	"time"
)

// leaseLife is how long a lease lasts that nobody extends.
const leaseLife = 15 * time.Second

// A lease is a lock in an [Engine], which ends by itself.
type lease struct {
	engine     Engine
	key, owner string
}

// take takes the lease, or extends it; false = somebody else has it.
func (l lease) take() (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), engineTimeout)
	defer cancel()
	return l.engine.Lease(ctx, l.key, l.owner, leaseLife)
}

// keep extends the lease at each third of its life, until release. lost is closed where it ends
// before.
func (l lease) keep() (release func(), lost <-chan struct{}) {
	ended, gone, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		if !l.extend(ended) {
			close(gone)
		}
	}()
	return func() {
		close(ended)
		<-over
		ctx, cancel := context.WithTimeout(context.Background(), engineTimeout)
		defer cancel()
		_ = l.engine.Release(ctx, l.key, l.owner) // else it ends by itself
	}, gone
}

// extend returns when the lease is not wanted any more, or is lost: false.
func (l lease) extend(ended <-chan struct{}) bool {
	tick := time.NewTicker(leaseLife / 3)
	defer tick.Stop()
	for until := time.Now().Add(leaseLife); ; {
		select {
		case <-ended:
			return true
		case <-tick.C:
		}
		began := time.Now()
		switch held, err := l.take(); {
		case err == nil && held:
			until = began.Add(leaseLife)
		case err == nil || time.Now().After(until):
			return false
		}
	}
}
