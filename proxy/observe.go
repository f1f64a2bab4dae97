package proxy

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
)

// statusClientGone is the status that logs use for a client that hung up.
const statusClientGone = 499

// An Observer hears of the exchanges. It stands before the credential, and so never sees
// a token. Each function may be nil.
type Observer struct {
	Began func(route string)
	// Record takes exchanges down; nil from it = not this one.
	Record func(*exchange.Exchange) exchange.Recorder
	Ended  func(*exchange.Exchange, exchange.Facts)
	// Refused hears of requests that were not let in.
	Refused func(*exchange.Head, problem.Problem)
	// DecisionHeader tells the client what was decided, by [DecisionHeader].
	DecisionHeader bool
	// ShuttingDown reports whether exchanges are being cut; nil = they are not.
	ShuttingDown func() bool
}

// observe has an exchange answered by serve, and tells what becomes of it.
func (h *Handler) observe(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, route string, serve func(*responseWriter, *http.Request, *exchange.Exchange)) {
	x.Note(func(f *exchange.Facts) { f.Route, f.Began = route, time.Now() })
	if h.Observer.Began != nil {
		h.Observer.Began(route)
	}
	if x.Recorder == nil && h.Observer.Record != nil {
		x.Recorder = h.Observer.Record(x)
	}
	h.watch(w, withBody(r, x), x, serve)
}

// watch has an exchange answered whose begin was told.
func (h *Handler) watch(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, serve func(*responseWriter, *http.Request, *exchange.Exchange)) {
	answer := newResponseWriter(w, r, x, h)
	whole := false
	defer func() { h.end(answer, r, whole) }() // also when serve panics with http.ErrAbortHandler
	serve(answer, r, x)
	whole = true
}

// end says how an exchange ended. whole = serve returned.
func (h *Handler) end(w *responseWriter, r *http.Request, whole bool) {
	x := w.exchange
	gone := r.Context().Err() != nil || w.failed != nil
	var facts exchange.Facts
	x.Note(func(f *exchange.Facts) {
		w.count(f)
		answered := w.status != 0 || w.switched != nil || f.Decision == exchange.Tunnelled
		h.noteEnd(f, time.Now(), whole && answered && w.failed == nil, gone)
		facts = *f
	})
	if x.Recorder != nil {
		x.Recorder.End(facts, httpexchange.Fields(trailersOf(w.Header())))
	}
	h.tell(x)
}

// noteEnd notes how an exchange ended.
func (h *Handler) noteEnd(f *exchange.Facts, now time.Time, whole, clientGone bool) {
	if f.Lasts {
		h.Lasting.count.Add(-1)
	}
	f.Took = now.Sub(f.Began)
	f.Ended = ending(f, whole, clientGone)
	if f.Ended != "" && h.Observer.ShuttingDown != nil && h.Observer.ShuttingDown() {
		f.Ended = "cut at shutdown"
	}
}

// tell tells of an exchange that has ended. It may wait.
func (h *Handler) tell(x *exchange.Exchange) {
	if h.Observer.Ended != nil {
		h.Observer.Ended(x, x.Facts())
	}
}

// withBody returns r with a body that tells of itself. net/http's server goes by what the
// body of its own request is.
func withBody(r *http.Request, x *exchange.Exchange) *http.Request {
	if x.Head.NoBody || r.Method == http.MethodConnect { // what is inside of a CONNECT is no body
		return r
	}
	if r.Trailer == nil && r.ContentLength < 0 {
		// In it net/http leaves trailers that nobody announced; without it they
		// would be left in r alone.
		r.Trailer = http.Header{}
	}
	out := r.WithContext(r.Context())
	out.Body = &requestBody{ReadCloser: r.Body, trailer: r.Trailer, recorder: x.Recorder}
	return out
}

// withRestOfBody is withBody for a request of whose body the first bytes were told of, or
// all of it.
func withRestOfBody(r *http.Request, x *exchange.Exchange, told int, whole bool) *http.Request {
	if hasNoBody(r) {
		return r
	}
	out := r.WithContext(r.Context())
	body := &requestBody{ReadCloser: r.Body, trailer: r.Trailer, recorder: x.Recorder, told: told}
	body.ended.Store(whole)
	out.Body = body
	return out
}

func hasNoBody(r *http.Request) bool { return r.ContentLength == 0 || r.Body == nil }

// A requestBody is the body of a client's request. Closing net/http's own for HTTP/1.x
// waits for what the client has not sent yet, and with it would every answer that comes
// before the upload's end; closing the one for HTTP/2 resets the stream. The server
// closes either anyway, after the answer.
type requestBody struct {
	io.ReadCloser
	trailer  http.Header
	strip    []string          // what is no trailer either
	recorder exchange.Recorder // nil = none
	told     int               // how many of the bytes to come were told of before
	ended    atomic.Bool
	closed   atomic.Bool
}

// Read reads on, until the body is closed. Trailers are there with the end.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.ReadCloser.Read(p)
	b.record(p[:n], err)
	switch {
	case err == io.EOF:
		dropTrailers(b.trailer, b.strip)
	case err != nil && !b.closed.Load(): // and not by us
		err = uploadError{err}
	}
	return n, err
}

func (b *requestBody) record(p []byte, err error) {
	if b.recorder == nil {
		return
	}
	again := min(b.told, len(p))
	if b.told -= again; len(p) > again {
		b.recorder.RequestData(p[again:])
	}
	switch {
	case err == nil || b.ended.Swap(true):
	case err == io.EOF:
		b.recorder.RequestEnd(httpexchange.Fields(b.trailer), nil)
	default:
		b.recorder.RequestEnd(nil, err)
	}
}

// Close ends reading.
func (b *requestBody) Close() error {
	b.closed.Store(true)
	return nil
}

// trailersOf is what stands behind the body of an answer: what was announced, and what
// has [http.TrailerPrefix].
func trailersOf(h http.Header) http.Header {
	var trailer http.Header
	add := func(name string, values []string) {
		if trailer == nil {
			trailer = http.Header{}
		}
		trailer[name] = values
	}
	for _, line := range h["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if values := h[name]; len(values) > 0 {
				add(name, values)
			}
		}
	}
	for name, values := range h {
		if bare, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			add(bare, values)
		}
	}
	return trailer
}
