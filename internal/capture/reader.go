package capture

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	readEvery = 100 * time.Millisecond // while nobody looks
	readMost  = 256 << 10              // bytes that are read then
)

// A reader makes recordings of the entries in the journal: at once where somebody looks, else
// soon, and only as many as cost little.
type reader struct {
	mu     sync.Mutex // of who reads
	buffer []byte
	asked  atomic.Bool // a later reading was
}

// readSoon has what was written read, at once where there are watchers.
func (r *Recorder) readSoon() {
	if r.reader.asked.Swap(true) {
		return
	}
	wait := readEvery
	if r.watch.any() {
		wait = 0
	}
	time.AfterFunc(wait, r.readSome)
}

// readSome reads what costs little, or all there is for watchers.
func (r *Recorder) readSome() {
	r.reader.asked.Store(false)
	switch {
	case r.watch.any():
		r.readAll()
	case r.read(readMost):
		r.readSoon()
	}
}

// readAll reads all that is in the journal now.
func (r *Recorder) readAll() {
	for end := r.journal.written(); r.read(readMost) && r.journal.unreadBefore(end); {
	}
}

// read reads up to so many bytes, and reports whether there may be more.
func (r *Recorder) read(most int) bool {
	r.reader.mu.Lock()
	defer r.reader.mu.Unlock()
	r.reader.buffer = r.journal.take(r.reader.buffer[:0], most)
	for p := r.reader.buffer; len(p) > 0; {
		e, content, size := parseEntry(p)
		r.tell(e, &codec{in: string(content), reading: true, wide: true})
		p = p[size:]
	}
	more := len(r.reader.buffer) >= most
	if cap(r.reader.buffer) > 2*readMost {
		r.reader.buffer = nil
	}
	return more
}

// tell makes an entry part of its recording.
func (r *Recorder) tell(e entry, c *codec) {
	if e.kind == entryBegin {
		var q Request
		codeRequest(c, &q)
		var cut bool
		q.Header, cut = readFields(c)
		r.begin(e.id, q, cut)
		return
	}
	r.mu.Lock()
	known := r.all[e.id]
	r.mu.Unlock()
	if known != nil { // else it was lost, or evicted
		known.add(e, c)
	}
}

// begin makes the recording of an exchange.
func (r *Recorder) begin(id uint64, request Request, cut bool) {
	e := newRecording(r, id, request, cut)
	r.mu.Lock()
	r.all[id] = e
	r.mu.Unlock()
	e.mu.Lock()
	e.publish()
	e.mu.Unlock()
	r.makeRoom()
}

// add adds an entry that is not the first.
func (e *recording) add(at entry, c *codec) {
	e.at = at.at
	switch at.kind {
	case entryRequestData:
		e.addData(&e.request, c)
	case entryResponseData:
		e.addData(&e.response, c)
	case entryRequestMessage:
		e.addMessage(&e.request, c)
	case entryResponseMessage:
		e.addMessage(&e.response, c)
	case entryRequestEnd:
		var whole bool
		c.flags(&whole)
		trailer, cut := readFields(c)
		e.requestEnd(trailer, cut, whole)
	case entryWithoutBodies:
		e.change(e.dropBodies)
	case entryInterim:
		var status int
		number(c, &status)
		header, _ := readFields(c)
		e.addInterim(status, header)
	case entryResponse:
		facts := readFacts(c, e.factsSoFar())
		header, cut := readFields(c)
		e.addResponse(facts, header, cut)
	case entryEnd:
		facts := readFacts(c, e.factsSoFar())
		trailer, cut := readFields(c)
		e.end(facts, trailer, cut)
	}
}

// addData adds a piece of a body, of which fewer bytes may have been written than it had.
func (e *recording) addData(s *side, c *codec) {
	e.change(func() {
		var size int
		number(c, &size)
		e.addBody(s, []byte(c.in), size)
	})
}
