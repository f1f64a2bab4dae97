package upstream

import (
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
)

// goodbyeAfter has each connection end in good order after a while, with what it took.
func (f *fakeNet) goodbyeAfter(lasts time.Duration) {
	f.greet = func(p *fakePeer) {
		p.framer.WriteSettings()
		var last atomic.Uint32
		p.answer = func(framer *http2.Framer, stream uint32) { last.Store(stream); testkit.NoContent(framer, stream) }
		time.AfterFunc(lasts, func() { p.says().WriteGoAway(last.Load(), http2.ErrCodeNo, nil) })
	}
}

// Connections that served somebody and were closed in good order are no failures, however
// many they are.
func TestPromise5_ConnectionsThatServedCostNothing(t *testing.T) {
	for _, lasts := range []time.Duration{time.Millisecond, 1500 * time.Millisecond} {
		for _, kept := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeNet(t, true)
				f.goodbyeAfter(lasts)
				if kept {
					f.keep(t)
				}
				for range 5 * triesMost {
					time.Sleep(2 * time.Second)
					if took, err := f.ask(t.Context(), "POST"); err != nil || took != 0 {
						t.Fatalf("lasting %v, kept %t: %v, %v after %d dials", lasts, kept, took, err, f.dialed())
					}
				}
				if n := f.dialed(); n < 5*triesMost {
					t.Errorf("only %d dials", n)
				}
			})
		}
	}
}

// closeAfter has each connection closed in good order once it was without a stream for a
// while: with a goodbye, as nginx does it, or just so.
func (f *fakeNet) closeAfter(idle time.Duration, goodbye bool) {
	f.greet = func(p *fakePeer) {
		p.framer.WriteSettings()
		end := func() {
			if goodbye {
				p.says().WriteGoAway(1, http2.ErrCodeNo, nil)
			} else {
				p.Close()
			}
		}
		timer := time.AfterFunc(idle, end)
		p.answer = func(framer *http2.Framer, stream uint32) { testkit.NoContent(framer, stream); timer.Reset(idle) }
	}
}

// Connections that the upstream closes because nobody uses them are no failures, and are
// not made again and again.
func TestPromise5_UpstreamThatClosesIdleConnections(t *testing.T) {
	for _, goodbye := range []bool{true, false} {
		for _, idle := range []time.Duration{10 * time.Millisecond, 2 * time.Second, 30 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeNet(t, true)
				f.closeAfter(idle, goodbye)
				f.keep(t)
				time.Sleep(2 * time.Minute) // nobody asks
				if n := f.dialed(); n < 4 || n > 20 {
					t.Errorf("closed after %v, goodbye %t: %d dials in two minutes", idle, goodbye, n)
				}
				for range 200 {
					time.Sleep(10 * time.Second)
					if took, err := f.ask(t.Context(), "POST"); err != nil || took != 0 {
						t.Fatalf("closed after %v, goodbye %t: %v, %v after %d dials", idle, goodbye, took, err, f.dialed())
					}
				}
				before := f.dialed()
				time.Sleep(5 * time.Hour)
				if trouble := f.upstream.Trouble(); trouble != nil {
					t.Errorf("closed after %v, goodbye %t: %+v", idle, goodbye, trouble)
				}
				if n := f.dialed() - before; n > 5*6*triesMost {
					t.Errorf("closed after %v, goodbye %t: %d dials in five hours", idle, goodbye, n)
				}
			})
		}
	}
}

// One that lives for long is replaced at once, whether it was used or not.
func TestPromise5_ConnectionThatLastedIsReplacedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.closeAfter(unneededMost, true)
		f.keep(t)
		synctest.Wait()
		for range 100 {
			time.Sleep(unneededMost)
			synctest.Wait()
			if l, _, _, _ := f.links.present(false); l == nil {
				t.Fatalf("no connection after %d dials", f.dialed())
			}
		}
	})
}

// What is lost, refused or ended before it served spends the budget, and the word about
// it is true.
func TestPromise5_SpentBudgetIsTold(t *testing.T) {
	origin := &url.URL{Host: "h"}
	for name, fail := range map[string]struct {
		begin func(f *fakeNet)
		says  string
	}{
		"refused": {func(f *fakeNet) { f.setDown(errDown) }, "the last one: "},
		"cut":     {func(f *fakeNet) { f.answer = func(*http2.Framer, uint32) { f.peers[len(f.peers)-1].Close() } }, "it was cut"},
		"storming": {func(f *fakeNet) {
			f.answer = func(g *http2.Framer, _ uint32) { g.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) }
		}, "the last one: "},
		"unserved": {func(f *fakeNet) {
			f.answer = func(g *http2.Framer, _ uint32) { g.WriteGoAway(0, http2.ErrCodeNo, nil) }
		}, "the upstream ended it"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeNet(t, true)
			f.keep(t)
			synctest.Wait()
			fail.begin(f)
			f.peers[0].Close()
			var err error
			for range 1000 {
				if _, err = f.ask(t.Context(), "POST"); errors.As(err, new(*spentError)) {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			began := time.Now()
			_, err = f.ask(t.Context(), "POST")
			p := Problem(err, origin.Host)
			until := time.Now().Add(p.RetryAfter)
			if p.Code != problem.UpstreamUnreachable || !strings.Contains(p.Detail, "50 connections failed or were lost within 10 minutes") ||
				!strings.Contains(p.Detail, until.Local().Format(time.TimeOnly)) || !strings.Contains(p.Detail, fail.says) {
				t.Errorf("%s: %v: %+v", name, err, p)
			}
			if strings.Contains(p.Hint, "network") != (name == "refused") || !time.Now().Equal(began) {
				t.Errorf("%s: after %v: %q", name, time.Since(began), p.Hint)
			}
			trouble := f.upstream.Trouble()
			if trouble == nil || !trouble.Down || !strings.HasSuffix(trouble.Detail, strings.TrimPrefix(p.Detail, "h")) || f.told(Paused) != 1 {
				t.Errorf("%s: status says %+v, told %d times", name, trouble, f.told(Paused))
			}
			f.setDown(nil)
			f.answer = testkit.NoContent
			time.Sleep(p.RetryAfter)
			if _, err := f.ask(t.Context(), "POST"); err != nil {
				t.Errorf("%s: when it is over: %v", name, err)
			}
			if trouble := f.upstream.Trouble(); trouble != nil {
				t.Errorf("%s: when it is over: %+v", name, trouble)
			}
		})
	}
}
