package proxy

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/avsroute"
	"avsproxy/internal/exchange"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
)

// A synchronized is a line that synchronizes; done has how its posts ended.
type synchronized struct {
	*line
	*sandbox.Sandbox
	done chan error
}

func toSynchronized(t *testing.T) synchronized {
	done := make(chan error, 64)
	l, s := toSandbox(t, sandbox.Options{}, plan{rules: func(route *Route, _ *upstream.Upstream) {
		synchronizer := avsroute.NewSynchronizer(avsroute.SynchronizeOptions{
			Origin: route.Origin, Headers: map[string]string{"X-Device": "kitchen"},
			Send: route.Send, Done: func(err error) { done <- err },
		})
		t.Cleanup(synchronizer.Close)
		route.Stages = append(route.Stages, synchronizer)
	}})
	return synchronized{l, s, done}
}

func misbehave(t *testing.T, s *sandbox.Sandbox, text string) {
	t.Helper()
	testkit.NoError(t, s.Faults().Replace(text))
}

// connections returns the connections that downchannels and SynchronizeStates
// came over.
func (s synchronized) connections() (downchannels, states []int) {
	for _, a := range s.Ledger() {
		switch a.Method + " " + a.Path {
		case "GET " + avs.PathDirectives:
			downchannels = append(downchannels, a.ConnID)
		case "POST " + avs.PathEvents:
			states = append(states, a.ConnID)
		}
	}
	return downchannels, states
}

func TestStateFollowsEachDownchannelOnItsConnection(t *testing.T) {
	over(t, func(t *testing.T, client *http.Client) {
		s := toSynchronized(t)
		wantPing(t, client, s.line) // is followed by nothing
		first, _ := openDownchannel(t, client, s.line)
		testkit.NoError(t, testkit.Receive(t, "the report", s.done))
		event := atPath(s.Sandbox, avs.PathEvents)[0]
		if event.Status != http.StatusNoContent || event.Token == "" || event.Header.Get("X-Device") != "kitchen" {
			t.Errorf("%+v", event)
		}
		misbehave(t, s.Sandbox, "goaway x1")
		wantPing(t, client, s.line)
		first.Body.Close()
		openDownchannel(t, client, s.line)
		testkit.NoError(t, testkit.Receive(t, "the report", s.done))
		downchannels, states := s.connections()
		if len(downchannels) != 2 || len(states) != 2 || downchannels[0] != states[0] || downchannels[1] != states[1] || states[0] == states[1] {
			t.Errorf("downchannels on connections %v, states on %v", downchannels, states)
		}
	})
}

func TestStateThatFailedComesWithTheNextDownchannel(t *testing.T) {
	s := toSynchronized(t)
	misbehave(t, s.Sandbox, "500@2 x1")
	first, _ := openDownchannel(t, h1Client(t), s.line)
	if err := testkit.Receive(t, "the report", s.done); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("%v", err)
	}
	first.Body.Close()
	openDownchannel(t, h1Client(t), s.line)
	if err := testkit.Receive(t, "the report", s.done); err != nil {
		t.Error(err)
	}
	if _, states := s.connections(); len(states) != 2 {
		t.Errorf("%d states", len(states))
	}
}

func TestRefusedDownchannelHasNoState(t *testing.T) {
	s := toSynchronized(t)
	misbehave(t, s.Sandbox, "503 x1")
	if a := get(t, h1Client(t), s.url+avs.PathDirectives); a.StatusCode != 503 {
		t.Fatal(a.Status)
	}
	openDownchannel(t, h1Client(t), s.line)
	testkit.Receive(t, "the report", s.done)
	if downchannels, states := s.connections(); len(downchannels) != 2 || len(states) != 1 {
		t.Errorf("%v %v", downchannels, states)
	}
}

func noBody(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
}

// Posts end with their downchannel, with the synchronizer, and in 30 seconds.
func TestSynchronizeStateIsGivenUp(t *testing.T) {
	origin := request(t, "GET", "https://h", nil).URL
	for name, c := range map[string]struct {
		end  func(hangUp, close func())
		took time.Duration
		told int
	}{
		"downchannel": {func(hangUp, close func()) { hangUp() }, 0, 0},
		"closed":      {func(hangUp, close func()) { close() }, 0, 0},
		"time":        {func(hangUp, close func()) {}, 30 * time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told, posts int
				var took time.Duration
				began := time.Now()
				s := avsroute.NewSynchronizer(avsroute.SynchronizeOptions{Origin: origin, Done: func(error) { told++ }, Send: func(_ *exchange.Exchange, r *http.Request) (*http.Response, error) {
					posts++
					<-r.Context().Done()
					took = time.Since(began)
					return nil, r.Context().Err()
				}})
				route := routeTo(fakeSender{origin, noBody}, Credential{}, s)
				ctx, hangUp := context.WithCancel(t.Context())
				req := httptest.NewRequest("GET", "https://h"+avs.PathDirectives, nil).WithContext(ctx)
				route.RoundTrip(req)
				synctest.Wait()
				c.end(hangUp, s.Close)
				time.Sleep(time.Minute)
				synctest.Wait()
				if told != c.told || posts != 1 || took != c.took {
					t.Errorf("%d posts, %d told, ended after %v", posts, told, took)
				}
				s.Close()
				route.RoundTrip(req)
				if synctest.Wait(); posts != 1 {
					t.Error("a post after the end")
				}
				hangUp()
			})
		})
	}
}

// Downchannels that open while all ends: nothing is left behind.
func TestSynchronizersEndMayComeAtAnyTime(t *testing.T) {
	origin := request(t, "GET", "https://h", nil).URL
	for range 50 {
		s := avsroute.NewSynchronizer(avsroute.SynchronizeOptions{Origin: origin, Done: func(error) {}, Send: func(*exchange.Exchange, *http.Request) (*http.Response, error) {
			return noBody(nil)
		}})
		route := routeTo(fakeSender{origin, noBody}, Credential{}, s)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { route.RoundTrip(request(t, "GET", "https://h"+avs.PathDirectives, nil)) })
		}
		s.Close()
		all.Wait()
	}
}
