package capture

import (
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
	done bool
	room [2]int64 // for what comes of each body
}

// ID identifies the exchange. IDs begin with 1 and grow. It is 0 for nil.
func (e *Exchange) ID() uint64 {
	if e == nil {
		return 0
	}
	return e.id
}

// write appends an entry, unless the exchange has ended. It calls code to write what is in it.
func (e *Exchange) write(kind entryKind, code func(*codec)) {
	if e == nil {
		return
	}
	e.r.journal.add(e, entry{kind: kind, slot: e.slot, id: e.id}, func(c *codec) []byte { // its time is among the facts
		code(c)
		return nil
	})
	e.r.readSoon()
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
	at := time.Now()
	for len(p) > 0 {
		piece := p[:min(len(p), maxPiece)]
		p = p[len(piece):]
		e.r.journal.add(e, entry{kind: kind, slot: e.slot, id: e.id, at: at}, func(c *codec) []byte {
			n := len(piece)
			number(c, &n)
			keeps := piece
			if !followed {
				keeps = piece[:min(int64(n), e.room[side])]
			}
			e.room[side] = max(0, e.room[side]-int64(len(keeps))) // who follows gets more than is kept
			return keeps
		})
	}
	e.r.readSoon()
}

// RequestEnd ends the request body, with an error if it is incomplete.
func (e *Exchange) RequestEnd(trailer exchange.FieldSeq, err error) {
	e.write(entryRequestEnd, func(c *codec) {
		whole := err == nil
		c.flags(&whole)
		e.writeFields(c, trailer)
	})
}

// Interim adds a 1xx response head.
func (e *Exchange) Interim(status int, header exchange.FieldSeq) {
	e.write(entryInterim, func(c *codec) {
		number(c, &status)
		e.writeFields(c, header)
	})
}

// Response adds the response head, with the facts known by then: streams last long.
func (e *Exchange) Response(soFar exchange.Facts, header exchange.FieldSeq) {
	e.write(entryResponse, func(c *codec) {
		e.writeFacts(c, soFar)
		e.writeFields(c, header)
	})
}

// WithoutBodies drops both bodies, and what follows of them. It still counts their
// sizes.
func (e *Exchange) WithoutBodies() {
	e.write(entryWithoutBodies, func(*codec) { e.room = [2]int64{} })
}

// End ends the exchange. Only the first call has an effect.
func (e *Exchange) End(facts exchange.Facts, trailer exchange.FieldSeq) {
	e.write(entryEnd, func(c *codec) {
		e.writeFacts(c, facts)
		e.writeFields(c, trailer)
	})
}

func (e *Exchange) writeFacts(c *codec, f exchange.Facts) {
	if len(f.Ended)+len(f.Error)+len(f.Upstream.Proto) > maxWord {
		f = boundFacts(f, e.r.secrets.Now())
	}
	number(c, &f.Status)
	codeFacts(c, &f)
}

// writeFields writes fields, of large heads only what will be kept of them. What is secret by
// the name of its field stays out.
func (e *Exchange) writeFields(c *codec, all exchange.FieldSeq) {
	if all == nil {
		return
	}
	begin, count, cut := len(c.out), 0, false
	c.flags(&cut)
	for name, value := range all {
		if count++; count > maxFields || len(c.out)-begin+len(name)+len(value) > maxHeadBytes/2 {
			c.out = c.out[:begin]
			e.writeLargeHead(c, all)
			return
		}
		writeField(c, Field{Name: name, Value: value})
	}
}

func (e *Exchange) writeLargeHead(c *codec, all exchange.FieldSeq) {
	kept, cut := keepFields(Fields(all), e.r.secrets.Now())
	c.flags(&cut)
	for _, f := range kept {
		writeField(c, f)
	}
}

func writeField(c *codec, f Field) {
	f.Value, _ = redact.FieldByName(f.Name, f.Value)
	c.text(&f.Name)
	c.text(&f.Value)
	c.flags(&f.Masked, &f.Cut)
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
func Fields(fields exchange.FieldSeq) (list []Field) {
	if fields == nil {
		return nil
	}
	for name, value := range fields {
		list = append(list, Field{Name: name, Value: value})
	}
	return list
}

// allOf yields fields.
func allOf(list []Field) exchange.FieldSeq {
	return func(yield func(string, string) bool) {
		for _, f := range list {
			if !yield(f.Name, f.Value) {
				return
			}
		}
	}
}
