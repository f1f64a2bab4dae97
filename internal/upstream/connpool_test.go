package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/h2"
	"avsproxy/internal/testkit"

	"golang.org/x/net/http2"
)

func TestPromise5_ConnectionIsMadeAheadAndAgainAfterGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.keep(t)
		synctest.Wait()
		if n := f.dialed(); n != 1 {
			t.Fatalf("%d dials before the first request", n)
		}
		time.Sleep(time.Hour)
		f.peers[0].says().WriteGoAway(0, http2.ErrCodeNo, nil)
		synctest.Wait()
		if n := f.dialed(); n != 2 || f.events[1] != Left {
			t.Fatalf("%d dials after the goodbye, %v", n, f.events)
		}
		time.Sleep(time.Hour)
		f.peers[1].Close()
		synctest.Wait()
		if n := f.dialed(); n != 3 || f.events[3] != Lost {
			t.Fatalf("%d dials after the loss, %v", n, f.events)
		}
		if took, err := f.ask(t.Context(), "GET"); err != nil || took != 0 {
			t.Error(took, err)
		}
	})
}

func TestPromise5_TriesToConnectHaveTheirPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.setDown(errDown)
		f.keep(t)
		time.Sleep(3 * time.Hour)
		dials := f.times()
		for i := 1; i < len(dials); i++ {
			gap, want := dials[i].Sub(dials[i-1]), pauses[min(i-1, len(pauses)-1)]
			if gap < want*66/100 || gap > want*151/100 && within(dials, i) < triesMost {
				t.Errorf("try %d came after %v, want about %v", i, gap, want)
			}
		}
		f.checkBudget(t)
		f.setDown(nil)
		time.Sleep(31 * time.Second)
		if _, err := f.ask(t.Context(), "GET"); err != nil {
			t.Error(err)
		}
	})
}

// within counts the tries of the span that ends with the i-th.
func within(dials []time.Time, i int) (n int) {
	for _, at := range dials[:i] {
		if dials[i].Sub(at) < triesSpan {
			n++
		}
	}
	return n
}

func (f *fakeNet) checkBudget(t *testing.T) {
	t.Helper()
	dials := f.times()
	for i := range dials {
		if n := within(dials, i); n >= triesMost {
			t.Fatalf("try %d is number %d in %v", i, n+1, triesSpan)
		}
	}
}

// Connections that are taken away again soon are tries like others.
func TestPromise5_ConnectionsThatDoNotLastKeepToTheBudget(t *testing.T) {
	for _, lasts := range []time.Duration{0, time.Millisecond, 1500 * time.Millisecond} {
		for _, kept := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeNet(t, true)
				f.greet = func(p *fakePeer) {
					p.framer.WriteSettings()
					time.AfterFunc(lasts, func() { p.says().WriteGoAway(0, http2.ErrCodeNo, nil) })
				}
				if kept {
					f.keep(t)
				}
				for range 3 * triesSpan / time.Second {
					time.Sleep(time.Second)
					if !kept {
						f.ask(t.Context(), "POST")
					}
				}
				f.checkBudget(t)
				if n := f.dialed(); n < triesMost {
					t.Errorf("lasting %v: only %d tries", lasts, n)
				}
			})
		}
	}
}

// The goodbye may come with the greeting, before anybody has the connection.
func TestPromise5_GoodbyeBeforeTheFirstRequestIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.links.dial = func(gone func(*pooledConn, error)) (*pooledConn, error) {
			l, err := f.dial(gone)
			f.peers[len(f.peers)-1].says().WriteGoAway(0, http2.ErrCodeNo, nil)
			<-l.gone
			synctest.Wait()
			return l, err
		}
		if took, err := f.ask(t.Context(), "POST"); err == nil || took != 0 || f.dialed() != 1 {
			t.Errorf("%v, %v, %d dials", took, err, f.dialed())
		}
		f.keep(t)
		time.Sleep(3 * time.Minute)
		dials := f.times()
		for i := 1; i < len(dials); i++ {
			gap, want := dials[i].Sub(dials[i-1]), pauses[min(i-1, len(pauses)-1)]
			if gap < want*66/100 || gap > want*151/100 {
				t.Errorf("try %d came after %v, want about %v", i, gap, want)
			}
		}
	})
}

// Clients that never tire do not make more tries than the upstream stands.
func TestPromise5_RequestsDuringAnOutageKeepToTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.keep(t)
		synctest.Wait()
		f.setDown(errDown)
		f.peers[0].Close()
		f.mu.Lock()
		f.dials = nil // whether the first one counts depends on how its end is seen
		f.mu.Unlock()
		for range 500 {
			took, err := f.ask(t.Context(), "POST")
			if err == nil || took > DialTimeout {
				t.Fatalf("held for %v, %v", took, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		f.checkBudget(t)
		if n := f.dialed(); n < triesMost-1 {
			t.Errorf("only %d tries", n)
		}
	})
}

func TestPromise5_RequestsWaitForAConnectionThatIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.keep(t)
		synctest.Wait()
		f.setDown(errDown)
		f.peers[0].Close()
		synctest.Wait()
		go func() { time.Sleep(8 * time.Second); f.setDown(nil) }()
		took, err := f.ask(t.Context(), "POST")
		if err != nil || took < 7*time.Second || took > DialTimeout {
			t.Errorf("held for %v, %v", took, err)
		}
	})
}

// Nothing is known of an upstream that was never reached, but that it cannot be.
func TestRequestFailsAtOnceWhereNothingWasReachedYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.setDown(errDown)
		f.keep(t)
		synctest.Wait()
		for range 200 {
			if took, err := f.ask(t.Context(), "GET"); took != 0 || !errors.Is(err, errDown) {
				t.Fatal(took, err)
			}
		}
		f.checkBudget(t)
	})
}

func TestPromise5_DeadConnectionIsNoticedByTheNextRequest(t *testing.T) {
	for _, single := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeNet(t, single)
			if _, err := f.ask(t.Context(), "POST"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(staleAfter)
			if took, err := f.ask(t.Context(), "POST"); err != nil || took != 0 || f.dialed() != 1 {
				t.Fatalf("on a connection that lives: %v, %v, %d dials", took, err, f.dialed())
			}
			time.Sleep(staleAfter)
			f.peers[0].dead.Store(true)
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if took, err := f.ask(t.Context(), "POST"); err != nil || took > DialTimeout {
						t.Errorf("single=%t: %v, %v", single, took, err)
					}
				})
			}
			all.Wait()
			if n := f.dialed(); n != 2 {
				t.Errorf("single=%t: %d dials", single, n)
			}
		})
	}
}

func TestClientThatLeavesWhileAConnectionIsAskedHarmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.ask(t.Context(), "GET")
		time.Sleep(time.Minute)
		f.peers[0].dead.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ctx, hangUp := context.WithCancel(ctx)
		time.AfterFunc(500*time.Millisecond, hangUp)
		if took, err := f.ask(ctx, "GET"); took != 500*time.Millisecond || !errors.Is(err, context.Canceled) {
			t.Error(took, err)
		}
		if f.links.open[0].retired() {
			t.Error("the connection was given up")
		}
	})
}

// AVS ends a connection on which the client says nothing, however much it says itself.
func TestPromise5_QuietConnectionIsPinged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.links.ping = 4 * time.Minute
		f.keep(t)
		synctest.Wait()
		last := time.Now()
		for range 60 * 60 { // the upstream speaks all the time
			time.Sleep(time.Second)
			synctest.Wait()
			f.peers[0].says().WriteWindowUpdate(0, 1)
		}
		synctest.Wait()
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, at := range f.pings {
			if quiet := at.Sub(last); quiet > 4*time.Minute {
				t.Errorf("quiet for %v", quiet)
			}
			last = at
		}
		if n := len(f.pings); n < 15 || n > 17 || len(f.dials) != 1 {
			t.Errorf("%d pings in an hour, %d dials", n, len(f.dials))
		}
	})
}

// A downchannel may outlive the goodbye of its connection, which is silent where it only listens.
func TestPromise5_QuietConnectionIsPingedWhileItLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.links.ping = 4 * time.Minute
		f.answer = func(framer *http2.Framer, stream uint32) {
			testkit.AnswerBegin(framer, stream)
			framer.WriteGoAway(stream, http2.ErrCodeNo, nil)
		}
		f.keep(t)
		resp, err := f.links.RoundTrip(httptest.NewRequest("GET", "https://h/", nil).WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for range 60 * 60 { // both upstreams speak all the time
			time.Sleep(time.Second)
			synctest.Wait()
			for _, peer := range f.peers {
				peer.says().WriteWindowUpdate(0, 1)
			}
		}
		synctest.Wait()
		if n := len(f.pings); n < 2*15 || n > 2*17 || len(f.dials) != 2 {
			t.Errorf("%d pings in an hour, %d dials", n, len(f.dials))
		}
	})
}

// The connection breaks under a request: what only asks is asked again, what does
// something is not done twice.
func TestPromise5_OnlyQuestionsAreAskedAgain(t *testing.T) {
	for method, want := range map[string]int{"GET": 2, "HEAD": 2, "POST": 1, "DELETE": 1} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeNet(t, true)
			asked := 0
			f.answer = func(framer *http2.Framer, stream uint32) {
				if asked++; asked == 1 {
					f.peers[0].Close()
				} else {
					testkit.NoContent(framer, stream)
				}
			}
			_, err := f.ask(t.Context(), method)
			if asked != want || (err == nil) != (want == 2) {
				t.Errorf("%s: asked %d times, %v", method, asked, err)
			}
		})
	}
}

func TestStreamsAboveTheLastOfAGoAwayAreSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		var asked []uint32
		f.answer = func(framer *http2.Framer, stream uint32) {
			if asked = append(asked, stream); len(asked) == 1 {
				framer.WriteGoAway(0, http2.ErrCodeNo, nil)
			} else {
				testkit.NoContent(framer, stream)
			}
		}
		body := strings.NewReader("once")
		resp, err := f.links.RoundTrip(httptest.NewRequest("POST", "https://h/", body))
		if err != nil || resp.StatusCode != http.StatusNoContent || len(asked) != 2 {
			t.Errorf("asked %v, %v", asked, err)
		}
	})
}

// A stream that was reset as a breach of the protocol says nothing about the others.
func TestResetOfOneStreamLeavesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.answer = testkit.AnswerBegin
		f.keep(t)
		held, err := f.links.RoundTrip(httptest.NewRequest("GET", "https://h/", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer held.Body.Close()
		broken, err := f.links.RoundTrip(httptest.NewRequest("GET", "https://h/", nil))
		if err != nil {
			t.Fatal(err)
		}
		f.peers[0].says().WriteRSTStream(3, http2.ErrCodeProtocol)
		var reset *h2.ResetError
		if _, err := io.Copy(io.Discard, broken.Body); !errors.As(err, &reset) || reset.Code != h2.ProtocolError {
			t.Errorf("%v", err)
		}
		broken.Body.Close()
		f.answer = testkit.NoContent
		if took, err := f.ask(t.Context(), "POST"); err != nil || took != 0 || f.dialed() != 1 {
			t.Errorf("%v after %v, %d dials", err, took, f.dialed())
		}
	})
}

// What waits for a stream of a full connection does not stay behind with the streams
// that go on there.
func TestRequestsThatWaitForAStreamMoveAfterGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.greet = func(p *fakePeer) {
			p.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		}
		f.answer = func(framer *http2.Framer, stream uint32) {
			if f.dialed() > 1 {
				testkit.NoContent(framer, stream)
			}
		}
		f.keep(t)
		ctx, hangUp := context.WithCancel(t.Context())
		var all sync.WaitGroup
		defer all.Wait()
		defer hangUp()
		all.Go(func() { f.ask(ctx, "GET") })
		synctest.Wait()
		for range 3 {
			all.Go(func() {
				if took, err := f.ask(t.Context(), "POST"); err != nil || took != DialTimeout/2 {
					t.Error(took, err)
				}
			})
		}
		time.Sleep(DialTimeout / 2)
		f.peers[0].says().WriteGoAway(1, http2.ErrCodeNo, nil)
		time.Sleep(time.Minute)
	})
}

func TestUpstreamThatAllowsNoStreamsIsNotDialedOverAndOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, false)
		f.greet = func(p *fakePeer) {
			time.Sleep(time.Millisecond)
			p.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0})
		}
		took, err := f.ask(t.Context(), "GET")
		if !errors.Is(err, errNoStreams) || f.dialed() != 1 {
			t.Errorf("%v after %v and %d dials", err, took, f.dialed())
		}
	})
}

// The upstream may change over to HTTP/1.1 between two tries. What is left of the
// body then must not pass for all of it.
func TestBegunRequestIsNotGivenToHTTP1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.answer = func(framer *http2.Framer, _ uint32) {
			f.links.dial = func(func(*pooledConn, error)) (*pooledConn, error) { return nil, errNotHTTP2 }
			framer.WriteGoAway(0, http2.ErrCodeNo, nil)
		}
		body := io.MultiReader(strings.NewReader("all "), strings.NewReader("of it"))
		_, err := f.links.RoundTrip(httptest.NewRequest("POST", "https://h/", body))
		if err == errNotHTTP2 || !errors.As(err, new(unprocessed)) {
			t.Errorf("%v, of a request whose body had begun", err)
		}
	})
}

func TestPromise6_CallerThatHangsUpWhileDialingHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		dials := 0
		s := &connPool{
			single: true, timeout: time.Hour,
			dial: func(func(*pooledConn, error)) (*pooledConn, error) { dials++; <-gate; return nil, errors.New("no") },
		}
		ctx, hangUp := context.WithCancel(t.Context())
		var left, stayed error
		go func() { _, left = s.RoundTrip(httptest.NewRequest("GET", "https://h/", nil).WithContext(ctx)) }()
		synctest.Wait()
		go func() { _, stayed = s.RoundTrip(httptest.NewRequest("GET", "https://h/", nil)) }()
		synctest.Wait()
		hangUp()
		synctest.Wait()
		if !errors.Is(left, context.Canceled) || stayed != nil {
			t.Error(left, stayed)
		}
		close(gate)
		synctest.Wait()
		if stayed == nil || stayed.Error() != "no" || dials != 1 {
			t.Errorf("%v after %d dials", stayed, dials)
		}
		s.close()
		if _, err := s.RoundTrip(httptest.NewRequest("GET", "https://h/", nil)); err != errClosed {
			t.Error(err)
		}
	})
}

// Connections that ended are forgotten, however many they are.
func TestManyGoAwaysLeakNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.serving(1)
		for range 30 {
			if _, err := f.ask(t.Context(), "GET"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		f.links.mu.Lock()
		defer f.links.mu.Unlock()
		if n := len(f.links.open) + len(f.links.leaving); n > 1 {
			t.Errorf("%d connections are kept after %d dials", n, f.dialed())
		}
	})
}
