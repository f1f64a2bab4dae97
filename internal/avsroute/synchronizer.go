package avsroute

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/exchange"
	"avsproxy/internal/upstream"
)

// synchronizePatience bounds one SynchronizeState.
const synchronizePatience = 30 * time.Second

// drainMost is how much of an answer that nobody needs is read, in bytes, so that
// its stream ends by itself.
const drainMost = 64 << 10

// SynchronizeOptions are for a [Synchronizer].
type SynchronizeOptions struct {
	// Origin is the route's upstream, with its path.
	Origin *url.URL
	// Headers are set on each post, as on all requests of the route.
	Headers map[string]string
	// Send sends the posts the way of all events, [Route.Send].
	Send func(*exchange.Exchange, *http.Request) (*http.Response, error)
	// Done hears how each post ended; nil = AVS took it.
	Done func(error)
}

// A Synchronizer says how the device is, which AVS wants to hear first on each
// connection: whenever a downchannel was opened, whoever asked for it, it posts
// System.SynchronizeState in the background. A post ends with its downchannel, after
// 30 seconds, or when the Synchronizer is closed. One that fails is not repeated:
// the next downchannel brings the next.
type Synchronizer struct {
	SynchronizeOptions
	running context.Context
	stop    context.CancelFunc

	mu    sync.Mutex // of adding to posts
	posts sync.WaitGroup
}

// NewSynchronizer returns a synchronizer that is to be closed.
func NewSynchronizer(options SynchronizeOptions) *Synchronizer {
	s := &Synchronizer{SynchronizeOptions: options}
	s.running, s.stop = context.WithCancel(context.Background())
	return s
}

// Concerns implements [exchange.Stage].
func (s *Synchronizer) Concerns(x *exchange.Exchange) bool { return asksDownchannel(x) }

// Follow implements [exchange.Stage].
func (s *Synchronizer) Follow(ctx context.Context, x *exchange.Exchange) (exchange.Follower, error) {
	if !asksDownchannel(x) {
		return nil, nil
	}
	return &synchronizedDownchannel{s, ctx}, nil
}

// A synchronizedDownchannel brings a post when it has opened. Its context ends with it.
type synchronizedDownchannel struct {
	by  *Synchronizer
	ctx context.Context
}

func (o *synchronizedDownchannel) Head(status int, _ exchange.Fields) {
	if status == http.StatusOK {
		o.by.begin(o.ctx)
	}
}

func (o *synchronizedDownchannel) Data([]byte) {}
func (o *synchronizedDownchannel) End(error)   {}

// Close ends the posts that are under way and waits for them. No more begin.
func (s *Synchronizer) Close() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.posts.Wait()
}

func (s *Synchronizer) begin(downchannel context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running.Err() != nil {
		return
	}
	s.posts.Go(func() {
		// Not the downchannel's own context: what it carries is about that request.
		ctx, cancel := context.WithTimeout(s.running, synchronizePatience)
		defer cancel()
		defer context.AfterFunc(downchannel, cancel)()
		if err := s.post(ctx); downchannel.Err() == nil && s.running.Err() == nil {
			s.Done(err)
		}
	})
}

func (s *Synchronizer) post(ctx context.Context) error {
	contentType, body := avs.SynchronizeState(rand.Text())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Origin.JoinPath(avs.PathEvents).String(), strings.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range s.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := s.Send(exchange.New(nil, &exchange.Head{Method: req.Method, Path: avs.PathEvents}), req)
	if err != nil {
		return upstream.Cause(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode > 299 {
		return fmt.Errorf("the upstream answered %d", resp.StatusCode)
	}
	_, err = io.CopyN(io.Discard, resp.Body, drainMost)
	if err == io.EOF {
		err = nil
	}
	return err
}
