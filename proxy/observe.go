package proxy

import (
	"context"
	"net/http"
	"sync"
	"time"

	"avsproxy/internal/problem"
)

// statusClientGone is the status that logs use for a client that hung up.
const statusClientGone = 499

// ObserveOptions say who hears of the exchanges of a route.
type ObserveOptions struct {
	Route string // empty = none
	// Began hears that a request arrived, and what it returned is called when it is done.
	Began func(route string) (done func(Exchange))
	// Record takes requests down; of the exchange Route, Began and Arrived are set. Nil,
	// or nil from it, costs nothing.
	Record func(r *http.Request, e Exchange) Recording
	// DecisionHeader tells the client what was decided, by [DecisionHeader].
	DecisionHeader bool
}

// Observe hands on to next and tells what becomes of it. It stands before the
// injector and so never sees a token.
func Observe(options ObserveOptions, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Trailer == nil && r.ContentLength < 0 {
			// In it net/http leaves trailers that nobody announced; without it they
			// would be left in r alone, and next gets a copy.
			r.Trailer = http.Header{}
		}
		done := options.Began(options.Route)
		o := newObservation(options, r)
		observed := &observedWriter{ResponseWriter: w, observation: o, http10: !r.ProtoAtLeast(1, 1), method: r.Method}
		whole := false
		defer func() { // also when next panics with http.ErrAbortHandler
			done(o.settle(observed, r, whole))
		}()
		out := r.WithContext(context.WithValue(r.Context(), exchangeKey{}, o))
		o.recordBody(out)
		next.ServeHTTP(observed, out)
		whole = true
	})
}

// An observation is an exchange under way. Transports note what they find out from
// goroutines of their own.
type observation struct {
	decisionHeader bool
	recording      Recording // nil = none

	mu       sync.Mutex
	exchange Exchange
}

func newObservation(options ObserveOptions, r *http.Request) *observation {
	o := &observation{decisionHeader: options.DecisionHeader, exchange: arrival(options.Route, r)}
	if options.Record != nil {
		o.recording = options.Record(r, o.exchange)
	}
	return o
}

// arrival is what is known of an exchange when it begins.
func arrival(route string, r *http.Request) Exchange {
	arrived, _ := r.Context().Value(arrivedKey{}).(time.Time)
	return Exchange{
		Route: route, Method: r.Method, Path: r.URL.EscapedPath(), Proto: r.Proto,
		Began: time.Now(), Arrived: arrived, TokenAge: -1, TokenLeft: -1,
	}
}

type exchangeKey struct{}

func observationOf(ctx context.Context) *observation {
	o, _ := ctx.Value(exchangeKey{}).(*observation)
	return o
}

// note hands f the exchange that ctx belongs to, if it is observed. f must not wait.
func note(ctx context.Context, f func(*Exchange)) {
	if o := observationOf(ctx); o != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		f(&o.exchange)
	}
}

// soFar is a copy, with how far the answer has come.
func (o *observation) soFar(note func(*Exchange)) Exchange {
	o.mu.Lock()
	defer o.mu.Unlock()
	note(&o.exchange)
	return o.exchange
}

// settle says how it ended. whole = the handler returned.
func (o *observation) settle(w *observedWriter, r *http.Request, whole bool) Exchange {
	e := o.soFar(func(e *Exchange) {
		e.settle(w)
		answered := w.status != 0 || e.taken != nil || e.Decision == Tunnelled
		e.Ended = ending(e, whole && answered && w.failed == nil, r.Context().Err() != nil || w.failed != nil)
		e.taken = nil
	})
	if o.recording != nil {
		o.recording.End(e, trailersOf(w.Header()))
	}
	return e
}

func (e *Exchange) settle(w *observedWriter) {
	e.Took = time.Since(e.Began)
	if e.Decision == Tunnelled { // its bytes do not come by here
		return
	}
	e.Status, e.Written = w.finalStatus(), w.written
	if e.taken != nil && w.status == 0 {
		e.Status, e.Written, e.Sent = http.StatusSwitchingProtocols, e.taken.read.Load(), e.taken.wrote.Load()
	}
}

// An observedWriter notes status and size. http.ResponseController reaches the
// writer below by Unwrap.
type observedWriter struct {
	http.ResponseWriter
	*observation
	status  int
	written int64
	failed  error // of writing
	http10  bool
	method  string
}

func (w *observedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *observedWriter) WriteHeader(status int) {
	final := status >= 200 || status == http.StatusSwitchingProtocols
	if final {
		w.begin(status)
	} else if w.http10 {
		return // RFC 9110 section 15.2: such a client would take it for the answer
	} else {
		w.interim(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// begin notes the head of the answer.
func (w *observedWriter) begin(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	w.head(status, w.Header())
}

// head adds to an answer's head what the client may know.
func (o *observation) head(status int, h http.Header) {
	e := o.soFar(func(e *Exchange) {
		e.Status, e.FirstByte, e.Error = status, time.Since(e.Began), h.Get(problem.Header)
	})
	if o.decisionHeader {
		if said := decisionOf(e); said != "" {
			h.Set(DecisionHeader, said)
		}
	}
	if o.recording != nil {
		o.recording.Response(e, h)
	}
}

func (w *observedWriter) interim(status int) {
	w.Header().Del(problem.Header)
	w.Header().Del(DecisionHeader)
	if w.recording != nil {
		w.recording.Interim(status, w.Header())
	}
}

func (w *observedWriter) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	if w.method == http.MethodHead { // net/http takes the bytes, and sends none
		return w.ResponseWriter.Write(p)
	}
	tunnel := w.method == http.MethodConnect && w.status < 300 // what is in it is nobody's business
	if w.recording != nil && !tunnel {
		w.recording.ResponseBody(p)
	}
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	if err != nil {
		w.failed = err
	}
	return n, err
}

func (w *observedWriter) finalStatus() int {
	if w.status == 0 {
		return statusClientGone
	}
	return w.status
}
