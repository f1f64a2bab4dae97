package upstream

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"avsproxy/internal/testkit"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A fakeNet makes connections to an upstream in memory, for tests in a bubble.
type fakeNet struct {
	upstream *Upstream
	links    *connPool

	mu     sync.Mutex
	down   error // of dials, while set
	dials  []time.Time
	peers  []*fakePeer
	answer func(framer *http2.Framer, stream uint32) // nil = 204
	tokens []string                                  // the Authorization of each request, and when it came
	came   []time.Time
	greet  func(*fakePeer) // nil = SETTINGS without any
	events []Event
	pings  []time.Time
}

func (f *fakeNet) notePing() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pings = append(f.pings, time.Now())
}

// A fakePeer is the upstream's end of one connection.
type fakePeer struct {
	net.Conn
	framer *http2.Framer
	out    chan []byte
	ended  chan struct{}                             // closed when nothing of the client's is read any more
	dead   atomic.Bool                               // reads, and never says anything again
	answer func(framer *http2.Framer, stream uint32) // nil = the net's
}

func newFakeNet(t *testing.T, single bool) *fakeNet {
	t.Helper()
	origin, _ := url.Parse("https://h")
	f := &fakeNet{upstream: New(Options{Origin: origin, SingleConnection: single})}
	f.links = f.upstream.pool
	f.links.dial = f.dial
	f.links.onEvent = func(event Event, _ error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events = append(f.events, event)
	}
	t.Cleanup(func() {
		f.upstream.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, peer := range f.peers {
			peer.Close()
		}
	})
	return f
}

func (f *fakeNet) dial(gone func(*pooledConn, error)) (*pooledConn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials = append(f.dials, time.Now())
	if f.down != nil {
		return nil, connectError{f.down}
	}
	near, far := net.Pipe()
	out := make(chan []byte, 1000)
	peer := &fakePeer{Conn: far, out: out, ended: make(chan struct{})}
	peer.framer = http2.NewFramer(toClient{peer}, far)
	f.peers = append(f.peers, peer)
	go func() {
		for {
			select {
			case p := <-out:
				far.Write(p)
			case <-peer.ended:
				return
			}
		}
	}()
	go func() {
		defer close(peer.ended)
		f.serve(peer)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), DialTimeout)
	defer cancel()
	return f.upstream.newLink(ctx, near, gone)
}

// says is for what the upstream says of itself.
func (p *fakePeer) says() *http2.Framer { return http2.NewFramer(toClient{p}, nil) }

// toClient writes without waiting, but nothing once the peer is dead.
type toClient struct{ *fakePeer }

func (c toClient) Write(p []byte) (int, error) {
	if c.dead.Load() {
		return len(p), nil
	}
	select {
	case c.out <- bytes.Clone(p):
	case <-c.ended:
	}
	return len(p), nil
}

func (f *fakeNet) serve(peer *fakePeer) {
	greet := func() { peer.framer.WriteSettings() }
	if f.greet != nil {
		greet = func() { f.greet(peer) }
	}
	fields := hpack.NewDecoder(4096, nil)
	testkit.ServeEach(peer, peer.framer, greet, func(frame http2.Frame) {
		switch frame := frame.(type) {
		case *http2.PingFrame:
			f.notePing()
		case *http2.HeadersFrame:
			list, _ := fields.DecodeFull(frame.HeaderBlockFragment())
			f.noteToken(list)
			if peer.answer != nil {
				peer.answer(peer.framer, frame.StreamID)
			} else if f.answer != nil {
				f.answer(peer.framer, frame.StreamID)
			} else {
				testkit.NoContent(peer.framer, frame.StreamID)
			}
		}
	})
}

func (f *fakeNet) noteToken(fields []hpack.HeaderField) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, field := range fields {
		if field.Name == "authorization" {
			f.tokens, f.came = append(f.tokens, field.Value), append(f.came, time.Now())
		}
	}
}

func (f *fakeNet) setDown(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = err
}

func (f *fakeNet) dialed() int { return len(f.times()) }

// times are those of all dials.
func (f *fakeNet) times() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.dials)
}

func (f *fakeNet) ask(ctx context.Context, method string) (time.Duration, error) {
	began := time.Now()
	resp, err := f.links.RoundTrip(httptest.NewRequest(method, "https://h/", nil).WithContext(ctx))
	if err == nil {
		resp.Body.Close()
	}
	return time.Since(began), err
}

func (f *fakeNet) keep(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { f.upstream.Keep(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
}

var errDown = errors.New("the network is down")
