package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"avsproxy/internal/capture"
	"avsproxy/internal/charset"
	"avsproxy/internal/terminal"
)

const (
	// drainTimeout bounds how long requests under way may go on after a signal.
	drainTimeout = 10 * time.Second
	// tunnelTimeout bounds tunnels: the proxy cannot see what is in them, and many stay open unused.
	tunnelTimeout = time.Second
	// closeTimeout bounds the wait for the close frames of WebSockets.
	closeTimeout = 300 * time.Millisecond
	// settleEvery is how often a drain checks whether what it waits for has ended.
	settleEvery = 10 * time.Millisecond
	// maxNamed bounds the requests that are named when they are waited for.
	maxNamed = 5
)

// Wait serves until a signal, then lets what is under way finish. What has no end of its own
// is ended by the proxy.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case err := <-s.ended[0]:
		return terminal.Failed(fmt.Errorf("the console stopped: %w", err), "")
	case err := <-s.ended[1]:
		return terminal.Failed(fmt.Errorf("the proxy stopped: %w", err), "")
	case <-ctx.Done():
	}
	s.run.Remove(s.Conf.Store.Path) // before draining: a second signal leaves no time for it
	s.drain()
	return nil
}

func (s *Server) drain() {
	all, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	tunnels, cancelTunnels := context.WithTimeout(all, tunnelTimeout)
	defer cancelTunnels()
	lasting, cut := context.WithCancel(all)
	defer cut()
	s.sayUnderWay()
	go func() {
		if settle(all, func() bool { return s.finite() <= 0 }) && s.endLasting(all) > 0 {
			cut()
		}
	}()
	ends := []func() error{
		func() error { return s.endProxy(lasting) },
		func() error { return s.pages.Shutdown(all) },
		func() error { return s.pipeline.tunnels.Drain(tunnels) }, // which are no longer the server's
	}
	drained := make(chan error, len(ends))
	for _, end := range ends {
		go func() { drained <- end() }()
	}
	if err := errors.Join(<-drained, <-drained, <-drained); errors.Is(err, context.DeadlineExceeded) && all.Err() != nil {
		s.env.UI.Say("avsproxy: cut what was still open")
	}
}

// sayUnderWay names what is waited for.
func (s *Server) sayUnderWay() {
	n := s.finite()
	if n <= 0 {
		return
	}
	s.env.UI.Say("avsproxy: finishing %s, for %v at most; a second signal ends it now%s", terminal.Count(n, "request"), drainTimeout, s.named(false))
}

// finite is how many requests end by themselves.
func (s *Server) finite() int { return s.busy.Requests() - s.pipeline.handler.Lasting.Count() }

// named lists the requests under way, one a line, as far as they are recorded.
func (s *Server) named(lasting bool) string {
	if s.capture.recorder == nil {
		return ""
	}
	var text strings.Builder
	n := 0
	for e := range s.capture.recorder.Newest() {
		if e.State != capture.StateActive || e.Lasts != lasting || e.Own != "" || e.Method == http.MethodConnect {
			continue
		}
		if n++; n > maxNamed {
			text.WriteString("\n  and others")
			break
		}
		path, _, _ := strings.Cut(e.Target, "?")
		fmt.Fprintf(&text, "\n  #%d %s %s, since %s", e.ID, charset.Printable(e.Method), charset.Printable(path), terminal.Wait(time.Since(e.Began)))
	}
	return text.String()
}

// settle waits until done; false = ctx ended before.
func settle(ctx context.Context, done func() bool) bool {
	for !done() {
		if !sleep(ctx, settleEvery) {
			return false
		}
	}
	return true
}

// endLasting ends WebSockets with a close frame. It returns how many exchanges have no end of their own.
func (s *Server) endLasting(ctx context.Context) int {
	handler := s.pipeline.handler
	n := handler.Lasting.Count()
	if n == 0 {
		return 0
	}
	s.env.UI.Say("avsproxy: ending %s that would go on for ever%s", terminal.Count(n, "exchange"), s.named(true))
	s.capture.markShutdown()
	handler.Lasting.EndWebSockets()
	closing, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	settle(closing, func() bool { return handler.Lasting.WebSockets() == 0 })
	return n
}

func (s *Server) endProxy(ctx context.Context) error {
	if err := s.proxy.Shutdown(ctx); err != nil {
		s.capture.markShutdown()
		s.proxy.Close() // or a tunnel over HTTP/2 whose client does not read could not be cut
		return err
	}
	return s.busy.Drain(ctx)
}
