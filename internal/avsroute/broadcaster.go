package avsroute

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"

	"avsproxy/internal/avs"
)

// What may wait for one client, in parts and bytes.
const (
	queueMost  = 64
	queueBytes = 1 << 20
)

var errSlowReader = errors.New("the client read its downchannel too slowly")

// broadcaster are the clients of a downchannel. All of them are sent the same
// bytes, boundary included, so a part is in memory once.
type broadcaster struct {
	framer *avs.RelatedWriter // makes frames, and writes nothing

	mu    sync.Mutex
	open  map[*subscriber]struct{}
	ended bool
}

// A channelPart is one part on its way to the clients. Nobody changes it.
type channelPart struct {
	frame     []byte                 // with the boundary line that ends it
	directive *avs.ReceivedDirective // nil = it is none
}

// A subscriber is one client, which is cut off when it falls too far behind.
type subscriber struct {
	parts   chan *channelPart
	waiting atomic.Int64 // bytes in parts
	cut     context.CancelCauseFunc
}

func (s *broadcaster) init() {
	s.framer = avs.NewRelatedWriter(nil, rand.Text())
	s.open = map[*subscriber]struct{}{}
}

// join adds a client until ctx ends. The returned context ends with it too, or when
// the client is cut off, with the reason for its cause.
func (s *broadcaster) join(ctx context.Context) (context.Context, *subscriber) {
	ctx, cut := context.WithCancelCause(ctx)
	client := &subscriber{parts: make(chan *channelPart, queueMost), cut: cut}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		cut(errClosed)
	}
	s.open[client] = struct{}{}
	return ctx, client
}

func (s *broadcaster) leave(client *subscriber) {
	client.cut(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, client)
}

// publish waits for nobody.
func (s *broadcaster) publish(part *channelPart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for client := range s.open {
		if !client.offer(part) {
			client.cut(errSlowReader)
			delete(s.open, client)
		}
	}
}

// end cuts all clients off, and those that join later.
func (s *broadcaster) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for client := range s.open {
		client.cut(errClosed)
	}
}

// offer takes any part where none is waiting.
func (c *subscriber) offer(part *channelPart) bool {
	size := int64(len(part.frame))
	if before := c.waiting.Add(size) - size; before > 0 && before+size > queueBytes {
		return false
	}
	select {
	case c.parts <- part:
		return true
	default:
		return false
	}
}

// next waits for a part; the error is the cause of ctx's end.
func (c *subscriber) next(ctx context.Context) (*channelPart, error) {
	select {
	case part := <-c.parts:
		c.waiting.Add(-int64(len(part.frame)))
		return part, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
