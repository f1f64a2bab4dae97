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
	// tunnelTimeout is for tunnels: nobody knows what is in them, and many are kept open unused.
	tunnelTimeout = time.Second
	// goodbyeTimeout is for what is told to go.
	goodbyeTimeout = 300 * time.Millisecond
	// settleEvery is how often it is looked whether all that ends by itself has ended.
	settleEvery = 10 * time.Millisecond
	// maxNamed bounds the requests that are named when they are waited for.
	maxNamed = 5
)

// Wait serves until a signal, then lets what is under way finish. What does not end by itself is
// told to go, and not waited for.
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
		if s.settle(all) && s.endLasting() > 0 {
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
	s.env.UI.Say("avsproxy: finishing %s, for %v at most; a second signal ends it now%s", countOf(n, "request"), drainTimeout, s.named(false))
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

func countOf(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// settle waits until only what lasts is under way; false = the time is over.
func (s *Server) settle(ctx context.Context) bool {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for s.finite() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// endLasting tells what lasts to go, and returns how much of that there was.
func (s *Server) endLasting() int {
	handler := s.pipeline.handler
	n := handler.Lasting.Count()
	if n == 0 {
		return 0
	}
	s.env.UI.Say("avsproxy: ending %s that would go on for ever%s", countOf(n, "exchange"), s.named(true))
	s.capture.markShutdown()
	handler.Lasting.EndWebSockets()
	for end := time.Now().Add(goodbyeTimeout); handler.Lasting.WebSockets() > 0 && time.Now().Before(end); {
		time.Sleep(settleEvery)
	}
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
