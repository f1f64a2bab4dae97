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
	"slices"
	"sync"
	"time"

	"avsproxy/internal/capture"
	"avsproxy/internal/console"
	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/proxy"
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
	handler  *proxy.Handler
	errorLog *log.Logger

	running  context.Context
	stop     context.CancelFunc
	slots    chan struct{}
	mu       sync.Mutex // of adding to under way
	inFlight sync.WaitGroup
}

func newReplayer(recorder *capture.Recorder, handler *proxy.Handler, errorLog *log.Logger) *replayer {
	r := &replayer{recorder: recorder, handler: handler, errorLog: errorLog, slots: make(chan struct{}, maxReplays)}
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
		Route: a.Route, Method: a.Method, Scheme: a.Scheme, Host: a.Host, Target: a.Target, Header: a.Header, ReplayOf: a.Of, NoBody: len(a.Body) == 0,
	}, a.Body)
}

// send begins to send a request, for ten minutes at most, and returns the ID of the new
// exchange. ctx bounds the wait for that alone.
func (r *replayer) send(ctx context.Context, request capture.Request, body []byte) (id uint64, err error) {
	route := slices.IndexFunc(r.handler.Routes, func(route *proxy.Route) bool { return route.Name == request.Route })
	switch {
	case route < 0:
		return 0, fmt.Errorf("there is no route %q", request.Route)
	case r.recorder == nil || r.recorder.Paused():
		return 0, errCapturePaused
	}
	again, err := rebuilt(request, body)
	if err != nil {
		return 0, err
	}
	if table := r.handler.Table; table != nil { // its fields may name another account now
		chosen, refused := table.Account(route, httpexchange.Head(again))
		if refused != nil {
			return 0, fmt.Errorf("%s; %s", refused.Detail, refused.Hint)
		}
		route = chosen
	}
	begun := make(chan uint64, 1)
	err = r.begin(func() { r.serve(route, again, request, begun) })
	if err != nil {
		return 0, err
	}
	select {
	case id := <-begun:
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

// serve records a request, sends its ID to begun, and sends the request. It recovers a panic,
// as net/http's server does.
func (r *replayer) serve(route int, again *http.Request, request capture.Request, begun chan<- uint64) {
	ctx, cancel := context.WithTimeout(r.running, replayTime)
	defer cancel()
	defer func() {
		if broken := recover(); broken != nil && broken != http.ErrAbortHandler {
			r.errorLog.Printf("sending a request again: %v", broken)
		}
	}()
	if enter := r.handler.TryEnter; enter != nil {
		leave, ok := enter()
		if !ok {
			begun <- 0
			return
		}
		defer leave()
	}
	x := exchange.New(&exchange.Conn{}, httpexchange.Head(again))
	request.Began, request.Proto, request.Client = time.Now(), x.Head.Proto, exchange.ConnInfo{Proto: x.Head.Proto}
	recorded := r.recorder.Begin(request)
	begun <- recorded.ID()
	if recorded != nil {
		x.Recorder = recorded
		r.handler.Serve(route, discarding{http.Header{}}, again.WithContext(ctx), x)
	}
}

// rebuilt is a request as net/http's server would give it.
func rebuilt(from capture.Request, body []byte) (*http.Request, error) {
	target, err := url.ParseRequestURI(from.Target)
	if err != nil {
		return nil, errors.New("the request's target cannot be read")
	}
	r, err := http.NewRequest(from.Method, "/", bytes.NewReader(body)) // whose length it knows
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
