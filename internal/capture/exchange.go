package capture

import (
	"strings"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/redact"
)

// An Exchange writes one request and its response into the journal. Its methods may be called
// at the same time, wait for nobody, and do nothing on a nil Exchange or after End. It is an
// [exchange.Recorder].
type Exchange struct {
	r    *Recorder
	id   uint64
	slot uint32

	// Under the journal's lock.
	done  bool
	room  [2]int64 // for what comes of each body
	timed [2]bool  // it matters when the body came
	head  bool     // the head of the answer has come
	way   way      // that was known then
}

// A way is how a request went out. It is known with the head of the answer, as a rule, and need
// not be written again with its end.
type way struct {
	decision                                        exchange.Decision
	credential                                      string
	age, left, token, connect, handshake, firstByte time.Duration
	tries                                           int
	replayed, lasts                                 bool
	upstream                                        exchange.ConnInfo
}

func wayOf(f *exchange.Facts) way {
	return way{
		f.Decision, f.Credential, f.TokenAge, f.TokenLeft, f.Token, f.Connect, f.TLS, f.FirstByte, f.Tries, f.Replayed, f.Lasts, f.Upstream,
	}
}

// ID identifies the exchange. IDs begin with 1 and grow. It is 0 for nil.
func (e *Exchange) ID() uint64 {
	if e == nil {
		return 0
	}
	return e.id
}

// RequestData adds a chunk of the request body. It does not keep p.
func (e *Exchange) RequestData(p []byte) { e.data(entryRequestData, 0, p) }

// ResponseData adds a chunk of the response body. It does not keep p.
func (e *Exchange) ResponseData(p []byte) { e.data(entryResponseData, 1, p) }

// data writes a piece of a body: its size, and as many of its bytes as are kept.
func (e *Exchange) data(kind entryKind, side int, p []byte) {
	if e == nil || len(p) == 0 {
		return
	}
	followed := e.r.watch.follows(e.id)
	for len(p) > 0 {
		n := min(len(p), maxPiece)
		e.piece(kind, side, p[:n], followed)
		p = p[n:]
	}
	e.r.readSoon()
}

func (e *Exchange) piece(kind entryKind, side int, p []byte, followed bool) {
	j := &e.r.journal
	if !j.beginEntry(e, kind) {
		return
	}
	if e.timed[side] {
		j.setTime(time.Now())
	}
	j.c.writeNumber(int64(len(p)))
	if !followed {
		p = p[:min(int64(len(p)), e.room[side])]
	}
	e.room[side] = max(0, e.room[side]-int64(len(p))) // who follows gets more than is kept
	j.endEntry(kind, p)
}

// begin begins an entry, unless the exchange has ended. What goes into it is written to the
// codec, until end.
func (e *Exchange) begin(kind entryKind) *codec {
	if e == nil || !e.r.journal.beginEntry(e, kind) {
		return nil
	}
	return &e.r.journal.c
}

func (e *Exchange) end(kind entryKind) {
	e.r.journal.endEntry(kind, nil)
	e.r.readSoon()
}

// RequestEnd ends the request body, with an error if it is incomplete.
func (e *Exchange) RequestEnd(trailer exchange.FieldList, err error) {
	if c := e.begin(entryRequestEnd); c != nil {
		whole := err == nil
		c.flags(&whole)
		e.writeFields(trailer)
		e.end(entryRequestEnd)
	}
}

// Interim adds a 1xx response head.
func (e *Exchange) Interim(status int, header exchange.FieldList) {
	if c := e.begin(entryInterim); c != nil {
		c.writeNumber(int64(status))
		e.writeFields(header)
		e.end(entryInterim)
	}
}

// Response adds the response head, with the facts known by then: streams last long.
func (e *Exchange) Response(soFar exchange.Facts, header exchange.FieldList) {
	if e.begin(entryResponse) != nil {
		e.writeFacts(&soFar)
		e.head, e.way = true, wayOf(&soFar)
		e.timed[1] = e.writeFields(header)
		e.end(entryResponse)
	}
}

// WithoutBodies drops both bodies, and what follows of them. It still counts their
// sizes.
func (e *Exchange) WithoutBodies() {
	if e.begin(entryWithoutBodies) != nil {
		e.room = [2]int64{}
		e.end(entryWithoutBodies)
	}
}

// End ends the exchange. Only the first call has an effect.
func (e *Exchange) End(facts exchange.Facts, trailer exchange.FieldList) {
	if e.begin(entryEnd) != nil {
		e.writeFacts(&facts)
		e.writeFields(trailer)
		e.end(entryEnd)
	}
}

// writeFacts writes of what is known only what is new since the head of the answer.
func (e *Exchange) writeFacts(f *exchange.Facts) {
	if len(f.Ended)+len(f.Error)+len(f.Upstream.Proto) > maxWord {
		bound := boundFacts(*f, e.r.secrets.Now())
		f = &bound
	}
	c := &e.r.journal.c
	known := e.head && e.way == wayOf(f)
	c.flags(&known)
	number(c, &f.Status)
	codeEnd(c, f)
	if !known {
		codeWay(c, f)
	}
}

// readFacts reads what writeFacts wrote; before are the facts that were known.
func readFacts(c *codec, before exchange.Facts) exchange.Facts {
	var known bool
	c.flags(&known)
	f := before
	number(c, &f.Status)
	codeEnd(c, &f)
	if !known {
		codeWay(c, &f)
	}
	return f
}

// writeFields writes fields, of large heads only what will be kept of them. It reports whether
// it matters when the body comes.
func (e *Exchange) writeFields(all exchange.FieldList) (timed bool) {
	if all == nil {
		return false
	}
	w, begin := &e.r.journal.fields, len(e.r.journal.c.out)
	w.begin(&e.r.journal.c)
	if all.Each(w.visit); w.over {
		w.c.out = w.c.out[:begin]
		e.writeLargeHead(w.c, all)
	}
	return w.timed
}

func (e *Exchange) writeLargeHead(c *codec, all exchange.FieldList) {
	kept, cut := keepFields(Fields(all), e.r.secrets.Now())
	c.flags(&cut)
	for _, f := range kept {
		writeField(c, f.Name, f.Value, f.Masked, f.Cut)
	}
}

// A fieldWriter writes fields one by one. What is secret by the name of its field stays out.
type fieldWriter struct {
	c     *codec
	visit func(name, value string) bool // its write, made once
	count int
	room  int
	over  bool // they are too many
	timed bool // it matters when the body comes
}

func (w *fieldWriter) begin(c *codec) {
	if w.visit == nil {
		w.visit = w.write
	}
	*w = fieldWriter{c: c, visit: w.visit, room: maxHeadBytes / 2}
	c.out = append(c.out, 0) // nothing is cut
}

func (w *fieldWriter) write(name, value string) bool {
	w.count++
	w.room -= len(name) + len(value)
	if w.over = w.count > maxFields || w.room < 0; w.over {
		return false
	}
	if len(name) == len("Content-Type") && strings.EqualFold(name, "Content-Type") {
		w.timed = isTimed(value)
	}
	value, _ = redact.FieldByName(name, value)
	writeField(w.c, name, value, false, false)
	return true
}

func writeField(c *codec, name, value string, masked, cut bool) {
	c.text(&name)
	c.text(&value)
	c.flags(&masked, &cut)
}

// readFields reads what is left; cut says that there were more fields.
func readFields(c *codec) (list []Field, cut bool) {
	if len(c.in) > 0 {
		c.flags(&cut)
	}
	for len(c.in) > 0 {
		var f Field
		c.text(&f.Name)
		c.text(&f.Value)
		c.flags(&f.Masked, &f.Cut)
		list = append(list, f)
	}
	return list, cut
}

// Fields collects what an [exchange.Recorder] is given.
func Fields(fields exchange.FieldList) (list []Field) {
	if fields == nil {
		return nil
	}
	for name, value := range fields.Each {
		list = append(list, Field{Name: name, Value: value})
	}
	return list
}

// fieldList is a list as [exchange.FieldList] has it.
type fieldList []Field

// Each implements [exchange.FieldList].
func (list fieldList) Each(yield func(name, value string) bool) {
	for _, f := range list {
		if !yield(f.Name, f.Value) {
			return
		}
	}
}
