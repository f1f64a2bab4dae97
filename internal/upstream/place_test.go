package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
)

// allowing has each connection allow so many streams, of which none ends.
func (f *fakeNet) allowing(streams uint32) {
	f.greet = func(p *fakePeer) {
		p.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: streams})
	}
	f.answer = func(*http2.Framer, uint32) {}
}

// hold takes a stream until the test ends, or until it is given up.
func (f *fakeNet) hold(t *testing.T) (giveUp func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.ask(ctx, "GET") }()
	giveUp = func() { cancel(); <-ended }
	t.Cleanup(giveUp)
	synctest.Wait()
	return giveUp
}

// told counts an event.
func (f *fakeNet) told(event Event) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		if e == event {
			n++
		}
	}
	return n
}

func TestWaitForAStreamIsBounded(t *testing.T) {
	for _, c := range []struct {
		streams      uint32
		header, want time.Duration
		says         string
	}{
		{2, 0, DialTimeout, "the upstream allows 2 streams on its connection and all are in use"},
		{2, 3 * time.Second, 3 * time.Second, "the upstream allows 2 streams on its connection and all are in use"},
		{2, time.Hour, DialTimeout, "the upstream allows 2 streams on its connection and all are in use"},
		{0, 0, DialTimeout, "the upstream allows 0 streams on its connection"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeNet(t, true)
			f.links.header = c.header
			f.allowing(c.streams)
			for range c.streams {
				f.hold(t)
			}
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					took, err := f.ask(t.Context(), "POST")
					p := Problem(err, "h")
					if took != c.want || p.Code != problem.UpstreamTimeout || !strings.Contains(p.Detail, c.says) {
						t.Errorf("%d streams, header_timeout %v: after %v: %v %q", c.streams, c.header, took, p.Code, p.Detail)
					}
				})
			}
			time.Sleep(2 * time.Second)
			if trouble := f.upstream.Trouble(); trouble == nil || !strings.Contains(trouble.Detail, c.says) || trouble.Down {
				t.Errorf("while they wait: %+v", trouble)
			}
			all.Wait()
			if n := f.told(Full); n != 1 {
				t.Errorf("%d requests that waited were told %d times", 50, n)
			}
			if trouble := f.upstream.Trouble(); trouble != nil {
				t.Errorf("when none waits any more: %+v", trouble)
			}
		})
	}
}

// Those that give up take no place of the others'.
func TestStreamsGoToThoseWhoWaitInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.allowing(1)
		giveUp := f.hold(t)
		f.answer = testkit.NoContent
		var want []string
		var all sync.WaitGroup
		for i := range 20 {
			ctx, hangUp := context.WithCancel(t.Context())
			if i%3 == 0 {
				time.AfterFunc(time.Second, hangUp)
			} else {
				want = append(want, strconv.Itoa(i))
			}
			all.Go(func() {
				defer hangUp()
				req := httptest.NewRequest("POST", "https://h/", nil).WithContext(ctx)
				req.Header.Set("Authorization", strconv.Itoa(i))
				if resp, err := f.links.RoundTrip(req); err == nil {
					resp.Body.Close()
				} else if i%3 != 0 {
					t.Error(i, err)
				}
			})
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		giveUp()
		all.Wait()
		if !slices.Equal(f.tokens, want) {
			t.Errorf("they came as %q", f.tokens)
		}
		if l := f.links.open[0]; l.session.InFlight() != 0 || f.dialed() != 1 {
			t.Errorf("%d places are taken, %d dials", l.session.InFlight(), f.dialed())
		}
	})
}

// The upstream may say later that it takes requests.
func TestRequestsWaitUntilTheUpstreamAllowsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.allowing(0)
		f.answer = testkit.NoContent
		f.keep(t)
		synctest.Wait()
		time.AfterFunc(5*time.Second, func() {
			f.peers[0].says().WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		})
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if took, err := f.ask(t.Context(), "POST"); err != nil || took != 5*time.Second {
					t.Error(took, err)
				}
			})
		}
		all.Wait()
	})
}

// A request that was given a place, and then is not sent, gives it back.
func TestPlaceThatIsNotUsedIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.allowing(1)
		f.answer = testkit.NoContent
		refused := errors.New("no")
		for range 10 {
			req := httptest.NewRequest("POST", "https://h/", strings.NewReader("body"))
			_, err := f.upstream.Send(exchange.New(nil, &exchange.Head{}), req, func(*http.Request) (*http.Request, error) { return nil, refused })
			if err != refused {
				t.Fatal(err)
			}
		}
		if took, err := f.ask(t.Context(), "POST"); err != nil || took != 0 {
			t.Error(took, err)
		}
	})
}
