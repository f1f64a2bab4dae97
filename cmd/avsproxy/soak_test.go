package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

var (
	soak     = flag.Duration("soak", 4*time.Second, "how long TestSoak lasts")
	soakPlot = flag.String("soak-plot", "", "write an SVG of TestSoak to this file, and its samples beside it as CSV")
)

const (
	soakDownchannels = 200
	soakTalkers      = 4
	soakSamples      = 180 // at most; not more often than every 100 ms
	soakWarm         = 400 // events before anything is judged, and all downchannels
	soakGrowth       = 1.25
	soakBytes        = 16 << 20 // that memory may differ by besides
	soakGoroutines   = 40
)

// TestSoak keeps the built program busy and finds that it does not grow: downchannels
// that hear directives, and events without a pause. See docs/soak.md.
func TestSoak(t *testing.T) {
	testkit.Heavy(t)
	amazon := startAmazon(t, sandbox.Options{MaxConcurrentStreams: 2 * soakDownchannels})
	proxy := serveBuilt(t, amazonConfig(t, amazon))
	logIn(t, proxy, amazon)
	s := &soaking{t: t, proxy: proxy, amazon: amazon}
	s.begin()
	s.warmUp()
	s.sample(*soak)
	s.check()
	if *soakPlot != "" {
		writeSoak(t, *soakPlot, s.samples)
	}
}

type soaking struct {
	t       *testing.T
	proxy   *runningProxy
	amazon  *sandbox.Sandbox
	heard   atomic.Int64 // bytes of downchannels
	events  atomic.Int64
	samples []soakSample
}

// A soakSample is what the program takes at a moment.
type soakSample struct {
	at         time.Duration
	memory     int // resident bytes
	goroutines int
	open       int // downchannels
}

// begin starts the clients, half of them over HTTP/2, and ends them with the test.
func (s *soaking) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	var clients []*http.Client
	for _, protocol := range []string{"http/1.1", "h2c"} {
		transport := &http.Transport{Protocols: protocols(protocol), DisableCompression: true, MaxIdleConnsPerHost: soakDownchannels}
		s.t.Cleanup(transport.CloseIdleConnections)
		clients = append(clients, &http.Client{Transport: transport})
	}
	var running sync.WaitGroup
	for i := range soakDownchannels {
		running.Go(func() { s.listen(ctx, clients[i%2]) })
	}
	for i := range soakTalkers {
		running.Go(func() { s.talk(ctx, clients[i%2]) })
	}
	running.Go(func() { s.direct(ctx) })
	s.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// listen keeps a downchannel open; one that ends is opened again.
func (s *soaking) listen(ctx context.Context, client *http.Client) {
	for ctx.Err() == nil {
		r, _ := http.NewRequestWithContext(ctx, "GET", s.proxy.Proxy[0]+"/v20160207/directives", nil)
		resp, err := client.Do(r)
		if err != nil {
			s.fail(ctx, "a downchannel", err)
			continue
		}
		n, _ := io.Copy(countTo{&s.heard}, resp.Body)
		resp.Body.Close()
		if n == 0 {
			s.fail(ctx, "a downchannel", fmt.Errorf("%s and nothing in it", resp.Status))
		}
	}
}

// talk sends one event after the other.
func (s *soaking) talk(ctx context.Context, client *http.Client) {
	for ctx.Err() == nil {
		r, _ := http.NewRequestWithContext(ctx, "POST", s.proxy.Proxy[0]+"/v20160207/events", io.MultiReader(strings.NewReader(recognizeBody)))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		resp, err := client.Do(r)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s", resp.Status)
		}
		if err != nil {
			s.fail(ctx, "an event", err)
			continue
		}
		s.events.Add(1)
		pause(ctx, 5*time.Millisecond)
	}
}

func (s *soaking) fail(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		s.t.Errorf("%s: %v", what, err)
		pause(ctx, time.Second)
	}
}

// direct has something to say on every downchannel, ten times a second.
func (s *soaking) direct(ctx context.Context) {
	for pause(ctx, 100*time.Millisecond) {
		s.amazon.Direct("Soak", "Tick", map[string]string{"text": strings.Repeat("x", 500)})
	}
}

// warmUp waits for the state that is to last: how long that takes is a matter of how
// busy the machine is.
func (s *soaking) warmUp() {
	testkit.Eventually(s.t, "events, and all downchannels to be open", func() bool {
		return s.events.Load() >= soakWarm && s.open() >= soakDownchannels
	})
}

// open counts the downchannels, and the events under way: what the proxy has open to AVS.
// How many take a directive would say less, since those that are behind do not.
func (s *soaking) open() int { return int(metric(s.t, s.proxy, `avsproxy_streams_open{route="avs"}`)) }

// sample looks at the program for so long.
func (s *soaking) sample(long time.Duration) {
	began, pause := time.Now(), max(100*time.Millisecond, long/soakSamples)
	for time.Since(began) < long {
		time.Sleep(pause)
		goroutines, pid := metric(s.t, s.proxy, "go_goroutines"), s.proxy.pid
		s.samples = append(s.samples, soakSample{time.Since(began), resident(s.t, pid), int(goroutines), s.open()})
	}
}

// check compares the last third with the first.
func (s *soaking) check() {
	third := len(s.samples) / 3
	first, last := s.samples[:third], s.samples[len(s.samples)-third:]
	memory := func(x soakSample) int { return x.memory }
	goroutines := func(x soakSample) int { return x.goroutines }
	s.t.Logf("%d events, %d KiB of directives; memory %d -> %d MiB, goroutines %d -> %d", s.events.Load(), s.heard.Load()>>10,
		middle(first, memory)>>20, middle(last, memory)>>20, middle(first, goroutines), middle(last, goroutines))
	if was, is := middle(first, memory), middle(last, memory); float64(is) > soakGrowth*float64(was)+soakBytes {
		s.t.Errorf("memory grew from %d to %d MiB", was>>20, is>>20)
	}
	if was, is := middle(first, goroutines), middle(last, goroutines); float64(is) > soakGrowth*float64(was)+soakGoroutines {
		s.t.Errorf("goroutines grew from %d to %d", was, is)
	}
	if open := s.samples[len(s.samples)-1].open; open < soakDownchannels {
		s.t.Errorf("%d downchannels are open", open)
	}
	if s.events.Load() == 0 {
		s.t.Error("no event got through")
	}
}

func middle(samples []soakSample, of func(soakSample) int) int {
	var values []int
	for _, sample := range samples {
		values = append(values, of(sample))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

type countTo struct{ n *atomic.Int64 }

func (c countTo) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// metric reads a number from /metrics.
func metric(t *testing.T, proxy *runningProxy, name string) (value float64) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(fetch(t, proxy.Console+"/metrics")))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			fmt.Sscan(rest, &value)
			return value
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// pause reports whether it lasted to its end.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
