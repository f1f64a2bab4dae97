package avsroute

import (
	"context"
	"sync"

	"avsproxy/internal/avs"
	"avsproxy/internal/exchange"
)

// A Serializer sends events to AVS one after another, as AVS wants them: each leaves
// when the one before it has its answer's head, or has failed. They leave in the
// order they came in. Other requests do not wait. It is a stage, and so runs before a token
// is asked for: no token expires in the queue.
//
// An event whose upload stalls holds up those behind it until its client goes, as
// AVS cannot answer what it has not got.
type Serializer struct {
	turn chan struct{} // full = an event is on its way; senders to a channel are served in their order
}

// NewSerializer returns a serializer for one route.
func NewSerializer() *Serializer { return &Serializer{turn: make(chan struct{}, 1)} }

// Concerns implements [exchange.Stage].
func (s *Serializer) Concerns(x *exchange.Exchange) bool {
	return x.Head.Method == "POST" && x.Head.DecodedPath() == avs.PathEvents
}

// Follow implements [exchange.Stage].
func (s *Serializer) Follow(ctx context.Context, x *exchange.Exchange) (exchange.Follower, error) {
	if !s.Concerns(x) {
		return nil, nil
	}
	select {
	case s.turn <- struct{}{}:
		return &turn{release: sync.OnceFunc(func() { <-s.turn })}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A turn is that of one event.
type turn struct{ release func() }

func (t *turn) Head(int, exchange.Fields) { t.release() }
func (t *turn) Data([]byte)               {}
func (t *turn) End(error)                 { t.release() }
