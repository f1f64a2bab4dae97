package app

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
	"avsproxy/internal/config"
	"avsproxy/internal/exchange"
	"avsproxy/internal/httpserver"
	"avsproxy/internal/testkit"
	"avsproxy/proxy"
)

// replaying is a replayer with one route, "api".
func replaying(t *testing.T, answer answerFunc) (*replayer, *captureObserver) {
	s := newCaptureObserver(config.Capture{Enabled: true, Body: 1 << 10, Total: 1 << 20}, nil)
	route := &proxy.Route{Policy: proxy.Policy{Name: "api", KeepsDownchannel: true}, Downchannel: answer}
	handler := &proxy.Handler{Routes: []*proxy.Route{route}, Observer: proxy.Observer{Record: s.begin}}
	r := newReplayer(s.recorder, handler, httpserver.DiscardLog())
	t.Cleanup(r.close)
	return r, s
}

// An answerFunc answers what asks for the downchannel.
type answerFunc func(w http.ResponseWriter, r *http.Request)

func (f answerFunc) Answer(w http.ResponseWriter, r *http.Request, _ *exchange.Exchange) error {
	f(w, r)
	return nil
}

var anything = capture.Request{Route: "api", Method: "GET", Target: avs.PathDirectives, ReplayOf: 7}

// A stream that never ends is told of at once, and cut after ten minutes.
func TestReplaysEndAfterTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := replaying(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			io.WriteString(w, "a beginning")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
		id := testkit.Must(r.send(t.Context(), anything, nil))(t)
		synctest.Wait()
		time.Sleep(replayTime - time.Second)
		synctest.Wait()
		if record, _ := s.recorder.Get(id); record.State != "active" || record.ReplayOf != 7 || string(record.Response.Body.Bytes) != "a beginning" || len(record.Interim) != 1 {
			t.Errorf("under way: %+v", record)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if record, _ := s.recorder.Get(id); record.State != "done" || record.Ended == "" {
			t.Errorf("in the end: %+v", record)
		}
	})
}

func TestReplaysAreBoundedAndEndWithTheProxy(t *testing.T) {
	r, s := replaying(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for range maxReplays {
		testkit.Must(r.send(t.Context(), anything, nil))(t)
	}
	if _, err := r.send(t.Context(), anything, nil); err != errTooManyReplays {
		t.Errorf("one too many: %v", err)
	}
	r.close()
	for _, e := range s.recorder.List() {
		if e.State != "done" {
			t.Errorf("goes on: %+v", e)
		}
	}
	if _, err := r.send(t.Context(), anything, nil); err != errShuttingDown {
		t.Errorf("after the end: %v", err)
	}
}

func TestReplaysThatAreNotPossibleFail(t *testing.T) {
	r, s := replaying(t, func(http.ResponseWriter, *http.Request) { panic("a bug") })
	if id, err := r.send(t.Context(), anything, nil); err != nil || id != 1 {
		t.Errorf("one that panics: %d, %v", id, err)
	}
	elsewhere, strange := anything, anything
	elsewhere.Route, strange.Target = "other", "no path"
	for _, request := range []capture.Request{elsewhere, strange} {
		if _, err := r.send(t.Context(), request, nil); err == nil {
			t.Errorf("%+v was sent", request)
		}
	}
	s.recorder.Pause(true)
	if _, err := r.send(t.Context(), anything, nil); err != errCapturePaused {
		t.Errorf("while nothing is recorded: %v", err)
	}
}
