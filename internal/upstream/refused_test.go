package upstream

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
)

// What is refused for ever ends in time, with a word that nothing was done, and without
// a hot loop.
func TestRequestsThatAreRefusedForEverEnd(t *testing.T) {
	for name, refuse := range map[string]func(*http2.Framer, uint32){
		"REFUSED_STREAM": func(framer *http2.Framer, stream uint32) { framer.WriteRSTStream(stream, http2.ErrCodeRefusedStream) },
		"GOAWAY":         func(framer *http2.Framer, _ uint32) { framer.WriteGoAway(0, http2.ErrCodeNo, nil) },
	} {
		for _, single := range []bool{true, false} {
			for header, most := range map[time.Duration]time.Duration{0: DialTimeout, 2 * time.Second: 2 * time.Second} {
				synctest.Test(t, func(t *testing.T) {
					f := newFakeNet(t, single)
					f.links.header = header
					asked := 0
					f.answer = func(framer *http2.Framer, stream uint32) { asked++; refuse(framer, stream) }
					f.keep(t)
					synctest.Wait()
					took, err := f.ask(t.Context(), "POST")
					p := Problem(err, f.upstream.options.Origin.Host)
					if p.Code != problem.UpstreamUnreachable || !errors.As(err, new(unprocessed)) || !strings.Contains(p.Hint, "not acted upon") {
						t.Errorf("%s, single %t: %v %+v", name, single, err, p)
					}
					if took < most || took > most+2*time.Second || asked < 3 || asked > 300 {
						t.Errorf("%s, single %t: %v, sent %d times", name, single, took, asked)
					}
					if single {
						f.checkBudget(t)
					}
				})
			}
		}
	}
}

// A client that hangs up ends the tries.
func TestClientThatHangsUpIsNotTriedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeNet(t, true)
		f.answer = func(framer *http2.Framer, stream uint32) { framer.WriteRSTStream(stream, http2.ErrCodeRefusedStream) }
		ctx, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, hangUp)
		if took, err := f.ask(ctx, "POST"); took != time.Second || err == nil {
			t.Error(took, err)
		}
	})
}

// Connections that serve few requests each, of which the rest are sent again, serve all
// of them in the end.
func TestConnectionsThatServeFewRequestsServeAll(t *testing.T) {
	for _, most := range []int{1, 5} {
		for _, single := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeNet(t, single)
				f.serving(most)
				f.keep(t)
				var all sync.WaitGroup
				for range 64 {
					all.Go(func() {
						for range 30 {
							if _, err := f.ask(t.Context(), "POST"); err != nil {
								t.Errorf("%d for each connection, single %t: %v", most, single, err)
								return
							}
						}
					})
				}
				all.Wait()
				if n := f.dialed(); n < 64*30/most {
					t.Errorf("%d dials", n)
				}
			})
		}
	}
}

// serving has each connection serve so many requests, and say goodbye.
func (f *fakeNet) serving(most int) {
	f.greet = func(p *fakePeer) {
		p.framer.WriteSettings()
		served := 0
		p.answer = func(framer *http2.Framer, stream uint32) {
			served++
			if served < most {
				testkit.NoContent(framer, stream)
			} else if served == most {
				framer.WriteGoAway(stream, http2.ErrCodeNo, nil)
				testkit.NoContent(framer, stream)
			}
		}
	}
}
