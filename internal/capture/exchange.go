package capture

import (
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"avsproxy/internal/exchange"
)

// An Exchange records one request and its response. Its methods may be called at the
// same time, wait for no watcher, and do nothing on a nil Exchange or after End. It is an
// [exchange.Recorder].
type Exchange struct {
	r    *Recorder
	id   uint64
	cost atomic.Int64 // bytes of the budget; changed while mu is held

	mu      sync.Mutex
	*state          // nil after End
	encoded encoded // the state after End
}

// state is all that is recorded of an exchange.
type state struct {
	head     Request // without Header
	facts    exchange.Facts
	status   int // of the response head; facts may have another where there is none
	request  side
	response side
	interim  []Interim
	event    string
	tried    int // size of the body in which no event was found
	done     bool

	methodMasked, targetMasked, targetCut bool
}

func (s *state) sides() [2]*side { return [...]*side{&s.request, &s.response} }

func newExchange(r *Recorder, request Request) *Exchange {
	e := &Exchange{r: r, state: &state{facts: exchange.Facts{TokenAge: -1, TokenLeft: -1}}}
	set := r.secrets.Now()
	e.setRequest(request, set)
	e.spend(overhead + int(unsafe.Sizeof(state{})) + e.head.cost())
	e.spend(e.request.setHeader(request.Header, set))
	return e
}

// ID identifies the exchange. IDs begin with 1 and grow. It is 0 for nil.
func (e *Exchange) ID() uint64 {
	if e == nil {
		return 0
	}
	return e.id
}

// change calls f to change the exchange, unless it has ended, and makes room.
func (e *Exchange) change(f func()) {
	if e == nil {
		return
	}
	e.mu.Lock()
	if e.state != nil {
		f()
	}
	e.mu.Unlock()
	e.r.makeRoom()
}

// spend adds n, which may be negative, to the memory in use. The caller holds mu.
func (e *Exchange) spend(n int) {
	e.cost.Add(int64(n))
	e.r.used.Add(int64(n))
}

// RequestData adds a chunk of the request body. It does not keep p.
func (e *Exchange) RequestData(p []byte) {
	e.change(func() { e.addBody(&e.request, p) })
}

// RequestEnd ends the request body, with an error if it is incomplete.
func (e *Exchange) RequestEnd(trailer exchange.FieldSeq, err error) {
	e.change(func() {
		e.spend(e.request.setTrailer(Fields(trailer), e.r.secrets.Recent()))
		e.endBody(&e.request, err == nil)
	})
}

// Interim adds a 1xx response head.
func (e *Exchange) Interim(status int, header exchange.FieldSeq) {
	e.change(func() {
		if len(e.interim) == maxInterim {
			return
		}
		fields, _ := keepFields(Fields(header), e.r.secrets.Now())
		e.interim = append(e.interim, Interim{Status: status, Header: fields})
		e.spend(costOf(fields))
	})
}

// Response adds the response head, with the facts known by then: streams last long.
func (e *Exchange) Response(soFar exchange.Facts, header exchange.FieldSeq) {
	e.change(func() {
		e.status = soFar.Status
		e.setFacts(soFar)
		e.spend(e.response.setHeader(Fields(header), e.r.secrets.Now()))
		e.publish()
	})
}

// ResponseData adds a chunk of the response body. It does not keep p.
func (e *Exchange) ResponseData(p []byte) {
	e.change(func() { e.addBody(&e.response, p) })
}

// WithoutBodies drops both bodies, and what follows of them. It still counts their
// sizes.
func (e *Exchange) WithoutBodies() { e.change(e.dropBodies) }

// cutBodies is WithoutBodies for the recorder, which is already making room.
func (e *Exchange) cutBodies() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == nil {
		e.spend(-e.encoded.dropBodies())
		return
	}
	e.dropBodies()
}

func (e *Exchange) dropBodies() {
	for _, s := range e.sides() {
		e.spend(-s.body.drop())
	}
}

// cutHeads drops the fields of the heads.
func (e *Exchange) cutHeads() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == nil {
		return
	}
	for _, s := range e.sides() {
		e.spend(-costOf(s.header) - costOf(s.trailer))
		s.cut = s.cut || len(s.header)+len(s.trailer) > 0
		s.header, s.trailer, s.contentType = nil, nil, strings.Clone(s.contentType)
	}
	for _, interim := range e.interim {
		e.spend(-costOf(interim.Header))
	}
	e.interim = nil
}

func (e *Exchange) setFacts(facts exchange.Facts) {
	before := costOfFacts(e.facts)
	e.facts = boundFacts(facts, e.r.secrets.Recent())
	e.spend(costOfFacts(e.facts) - before)
}

// Fields collects what an [exchange.Recorder] is given.
func Fields(fields exchange.FieldSeq) (list []Field) {
	if fields == nil {
		return nil
	}
	for name, value := range fields {
		list = append(list, Field{Name: name, Value: value})
	}
	return list
}

// End ends the exchange. Only the first call has an effect.
func (e *Exchange) End(facts exchange.Facts, trailer exchange.FieldSeq) {
	first := false
	e.change(func() {
		first = true
		e.setFacts(facts)
		e.spend(e.response.setTrailer(Fields(trailer), e.r.secrets.Recent()))
		e.endBody(&e.request, false)
		e.endBody(&e.response, facts.Ended == "")
		e.done = true
		e.publish()
		e.encode()
	})
	if first {
		e.r.mu.Lock()
		e.r.ended = append(e.r.ended, e)
		e.r.mu.Unlock()
		e.r.makeRoom()
	}
}
