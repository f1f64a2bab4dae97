package capture

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"avsproxy/internal/exchange"
)

// A recording is what the recorder has read of an exchange in its journal.
type recording struct {
	r    *Recorder
	id   uint64
	at   time.Time    // of the entry that is read
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
}

func (s *state) sides() [2]*side { return [...]*side{&s.request, &s.response} }

func newRecording(r *Recorder, id uint64, request Request, cut bool) *recording {
	e := &recording{r: r, id: id, state: &state{facts: exchange.Facts{TokenAge: -1, TokenLeft: -1}}}
	set := r.secrets.Now()
	e.setRequest(request, set)
	e.spend(overhead + int(unsafe.Sizeof(state{})) + e.head.cost())
	e.spend(e.request.setHeader(request.Header, cut, set))
	if request.NoBody {
		e.request.body.ended, e.request.body.whole = true, true
	}
	return e
}

// factsSoFar are those of the head of the answer; the zero value after the end.
func (e *recording) factsSoFar() (f exchange.Facts) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != nil {
		f = e.facts
	}
	return f
}

// change calls f to change the exchange, unless it has ended, and makes room.
func (e *recording) change(f func()) {
	e.mu.Lock()
	if e.state != nil {
		f()
	}
	e.mu.Unlock()
	e.r.makeRoom()
}

// spend adds n, which may be negative, to the memory in use. The caller holds mu.
func (e *recording) spend(n int) {
	e.cost.Add(int64(n))
	e.r.used.Add(int64(n))
}

func (e *recording) requestEnd(trailer []Field, cut, whole bool) {
	e.change(func() {
		e.spend(e.request.setTrailer(trailer, cut, e.r.secrets.Recent()))
		e.endBody(&e.request, whole)
	})
}

func (e *recording) addInterim(status int, header []Field) {
	e.change(func() {
		if len(e.interim) == maxInterim {
			return
		}
		fields, _ := keepFields(header, e.r.secrets.Now())
		e.interim = append(e.interim, Interim{Status: status, Header: fields})
		e.spend(costOf(fields))
	})
}

func (e *recording) addResponse(soFar exchange.Facts, header []Field, cut bool) {
	e.change(func() {
		e.status = soFar.Status
		e.setFacts(soFar)
		e.spend(e.response.setHeader(header, cut, e.r.secrets.Now()))
		e.publish()
	})
}

// cutBodies drops the bodies, for the recorder, which is already making room.
func (e *recording) cutBodies() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == nil {
		e.spend(-e.encoded.dropBodies())
		return
	}
	e.dropBodies()
}

func (e *recording) dropBodies() {
	for _, s := range e.sides() {
		e.spend(-s.body.drop())
	}
}

// cutHeads drops the fields of the heads.
func (e *recording) cutHeads() {
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

func (e *recording) setFacts(facts exchange.Facts) {
	before := costOfFacts(e.facts)
	e.facts = boundFacts(facts, e.r.secrets.Recent())
	e.spend(costOfFacts(e.facts) - before)
}

// end ends the exchange. Only the first call has an effect.
func (e *recording) end(facts exchange.Facts, trailer []Field, cut bool) {
	first := false
	e.change(func() {
		first = true
		e.setFacts(facts)
		e.spend(e.response.setTrailer(trailer, cut, e.r.secrets.Recent()))
		e.endBody(&e.request, e.request.body.messages)
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
