package capture

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// An Exchange is one request with its answer, as it is recorded. All methods may
// be called at the same time, wait for no watcher, and do nothing on a nil
// Exchange. What is said after its End is not heard.
type Exchange struct {
	r    *Recorder
	id   uint64
	cost atomic.Int64 // bytes of the budget; changed while mu is held
	next *Exchange    // in the queue of those that ended; r.mu

	mu      sync.Mutex
	*story          // nil once it has ended
	shelved shelved // what it was then
}

// A story is all that is known of an exchange.
type story struct {
	ask       Request // without Header
	request   side
	response  side
	interim   []Interim
	status    int
	proto     string // of the answer's head
	firstByte time.Duration
	event     string
	tried     int // size of the body in which no event was found
	facts     Facts
	took      time.Duration
	done      bool
}

func newExchange(r *Recorder, request Request) *Exchange {
	e := &Exchange{r: r, story: &story{facts: Facts{TokenAge: -1, TokenLeft: -1}}}
	set := r.secrets.now()
	header := request.Header
	request.Header = nil
	e.ask = request.bounded(set)
	e.spend(overhead + int(unsafe.Sizeof(story{})) + e.ask.cost())
	e.spend(e.request.setHeader(header, set))
	return e
}

// ID names the exchange; ids grow with time and begin with 1. It is 0 for nil.
func (e *Exchange) ID() uint64 {
	if e == nil {
		return 0
	}
	return e.id
}

// change lets f change the exchange, unless it has ended, and makes room for it.
func (e *Exchange) change(f func()) {
	if e == nil {
		return
	}
	e.mu.Lock()
	if e.story != nil {
		f()
	}
	e.mu.Unlock()
	e.r.fit()
}

// spend accounts for memory; n may be negative. The caller holds mu.
func (e *Exchange) spend(n int) {
	e.cost.Add(int64(n))
	e.r.used.Add(int64(n))
}

// RequestBody adds what was read of the request's body. p may be used again.
func (e *Exchange) RequestBody(p []byte) {
	if e != nil {
		e.addBody(requestSide, p)
	}
}

// RequestEnd says that the request's body came to its end, or how it failed.
func (e *Exchange) RequestEnd(trailer []Field, err error) {
	e.change(func() {
		e.spend(e.request.setTrailer(trailer, e.r.secrets.recent()))
		e.endBody(requestSide, err == nil)
	})
}

// Interim adds an answer's 1xx head.
func (e *Exchange) Interim(status int, header []Field) {
	e.change(func() {
		if len(e.interim) == maxInterim {
			return
		}
		fields, cost, _ := keepFields(header, e.r.secrets.now())
		e.interim = append(e.interim, Interim{Status: status, Header: fields})
		e.spend(cost)
	})
}

// Response adds the answer's head. proto is that of the upstream, as in
// "HTTP/2.0".
func (e *Exchange) Response(status int, proto string, header []Field) {
	e.change(func() {
		e.status, e.proto = status, clip(proto, maxWord)
		e.firstByte = time.Since(e.ask.Began)
		e.spend(e.response.setHeader(header, e.r.secrets.now()))
		e.publish()
	})
}

// ResponseBody adds what was read of the answer's body. p may be used again.
func (e *Exchange) ResponseBody(p []byte) {
	if e != nil {
		e.addBody(responseSide, p)
	}
}

// WithoutBodies forgets both bodies and keeps none; their sizes are counted.
func (e *Exchange) WithoutBodies() { e.change(e.dropBodies) }

// cutBodies is WithoutBodies for the recorder, which makes room already.
func (e *Exchange) cutBodies() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.story == nil {
		e.spend(-e.shelved.dropBodies(&e.r.spare))
		return
	}
	e.dropBodies()
}

func (e *Exchange) dropBodies() {
	for _, s := range []*side{&e.request, &e.response} {
		e.spend(-s.body.drop(&e.r.spare))
	}
}

// cutHeads forgets the fields of the heads.
func (e *Exchange) cutHeads() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.story == nil {
		return
	}
	for _, s := range []*side{&e.request, &e.response} {
		e.spend(-costOf(s.header) - costOf(s.trailer))
		s.cut = s.cut || len(s.header)+len(s.trailer) > 0
		s.header, s.trailer, s.contentType = nil, nil, strings.Clone(s.contentType)
	}
	for _, interim := range e.interim {
		e.spend(-costOf(interim.Header))
	}
	e.interim = nil
}

// Facts says what is known so far. Each call replaces what was said before.
func (e *Exchange) Facts(facts Facts) {
	e.change(func() { e.setFacts(facts) })
}

func (e *Exchange) setFacts(facts Facts) {
	before := e.facts.cost()
	e.facts = facts.bounded(e.r.secrets.recent())
	e.spend(e.facts.cost() - before)
}

// costOf is what was spent for fields that are kept.
func costOf(fields []Field) int {
	cost := cap(fields) * int(unsafe.Sizeof(Field{}))
	for _, f := range fields {
		cost += len(f.Name) + len(f.Value)
	}
	return cost
}

// End ends the exchange. Only the first call counts.
func (e *Exchange) End(facts Facts, trailer []Field) {
	first := false
	e.change(func() {
		first = true
		e.took = time.Since(e.ask.Began)
		e.setFacts(facts)
		e.spend(e.response.setTrailer(trailer, e.r.secrets.recent()))
		e.endBody(requestSide, false)
		e.endBody(responseSide, facts.Ended == "")
		e.done = true
		e.publish()
		e.shelve()
	})
	if first {
		e.r.retire(e)
		e.r.fit()
	}
}
