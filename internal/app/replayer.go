package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"sync"
	"time"

	"avsproxy/internal/capture"
	"avsproxy/internal/console"
)

const (
	replayTime = 10 * time.Minute
	maxReplays = 16 // at a time
)

var (
	errCapturePaused  = errors.New("nothing is recorded at the moment, so that nobody would see the answer")
	errTooManyReplays = errors.New("too many replays in progress (limit 16)")
	errShuttingDown   = errors.New("the proxy is ending")
)

// A replayer sends requests again, the way of all requests of their routes but for the
// guard: the caller has passed it. The responses are recorded and sent nowhere.
type replayer struct {
	recorder *capture.Recorder
	routes   map[string]http.Handler
	errorLog *log.Logger

	running  context.Context
	stop     context.CancelFunc
	slots    chan struct{}
	mu       sync.Mutex // of adding to under way
	inFlight sync.WaitGroup
}

func newReplayer(recorder *capture.Recorder, routes map[string]http.Handler, errorLog *log.Logger) *replayer {
	r := &replayer{recorder: recorder, routes: routes, errorLog: errorLog, slots: make(chan struct{}, maxReplays)}
	r.running, r.stop = context.WithCancel(context.Background())
	return r
}

// close cuts what is under way and waits for it.
func (r *replayer) close() {
	r.mu.Lock()
	r.stop()
	r.mu.Unlock()
	r.inFlight.Wait()
}

// replay is for [console.Console].
func (r *replayer) replay(ctx context.Context, a console.ReplayRequest) (id uint64, err error) {
	return r.send(ctx, capture.Request{
		Route: a.Route, Method: a.Method, Scheme: a.Scheme, Host: a.Host, Target: a.Target, Header: a.Header, ReplayOf: a.Of,
	}, a.Body)
}

// send begins to send a request, for ten minutes at most, and returns the ID of the new
// exchange. ctx bounds the wait for that alone.
func (r *replayer) send(ctx context.Context, request capture.Request, body []byte) (id uint64, err error) {
	route, ok := r.routes[request.Route]
	switch {
	case !ok:
		return 0, fmt.Errorf("there is no route %q", request.Route)
	case r.recorder == nil || r.recorder.Paused():
		return 0, errCapturePaused
	}
	sent := replay{of: request.ReplayOf, scheme: request.Scheme, begun: make(chan uint64, 1)}
	again, err := rebuilt(context.WithValue(r.running, replayKey{}, sent), request, body)
	if err != nil {
		return 0, err
	}
	err = r.begin(func() {
		r.serve(route, again)
		sent.tell(0) // where it was not recorded
	})
	if err != nil {
		return 0, err
	}
	select {
	case id := <-sent.begun:
		if id == 0 {
			return 0, errCapturePaused
		}
		return id, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// begin runs f in the background, if there is a place.
func (r *replayer) begin(f func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running.Err() != nil {
		return errShuttingDown
	}
	select {
	case r.slots <- struct{}{}:
	default:
		return errTooManyReplays
	}
	r.inFlight.Go(func() {
		defer func() { <-r.slots }()
		f()
	})
	return nil
}

// serve does for a panic what net/http's server does.
func (r *replayer) serve(route http.Handler, again *http.Request) {
	ctx, cancel := context.WithTimeout(again.Context(), replayTime)
	defer cancel()
	defer func() {
		if broken := recover(); broken != nil && broken != http.ErrAbortHandler {
			r.errorLog.Printf("sending a request again: %v", broken)
		}
	}()
	route.ServeHTTP(discarding{http.Header{}}, again.WithContext(ctx))
}

// rebuilt is a request as net/http's server would give it.
func rebuilt(ctx context.Context, from capture.Request, body []byte) (*http.Request, error) {
	target, err := url.ParseRequestURI(from.Target)
	if err != nil {
		return nil, errors.New("the request's target cannot be read")
	}
	r, err := http.NewRequestWithContext(ctx, from.Method, "/", bytes.NewReader(body)) // whose length it knows
	if err != nil {
		return nil, errors.New("invalid request method")
	}
	r.URL, r.RequestURI, r.Host, r.GetBody = target, from.Target, from.Host, nil
	if len(body) == 0 {
		r.Body = http.NoBody
	}
	for _, field := range from.Header {
		r.Header.Add(field.Name, field.Value)
	}
	return r, nil
}

type replayKey struct{}

// A replay receives the ID of its exchange.
type replay struct {
	of     uint64
	scheme string
	begun  chan uint64 // has room for one; nil = this is none
}

func replayOf(ctx context.Context) replay {
	again, _ := ctx.Value(replayKey{}).(replay)
	return again
}

// tell sends the ID; later calls do nothing.
func (r replay) tell(id uint64) {
	if r.begun == nil {
		return
	}
	select {
	case r.begun <- id:
	default:
	}
}

// discarding is an [http.ResponseWriter] that drops the response. It has what
// [http.ResponseController] looks for, but for taking over the connection.
type discarding struct{ header http.Header }

func (d discarding) Header() http.Header              { return d.header }
func (d discarding) WriteHeader(int)                  {}
func (d discarding) Write(p []byte) (int, error)      { return io.Discard.Write(p) }
func (d discarding) FlushError() error                { return nil }
func (d discarding) EnableFullDuplex() error          { return nil }
func (d discarding) SetReadDeadline(time.Time) error  { return nil }
func (d discarding) SetWriteDeadline(time.Time) error { return nil }
