package capture

import (
	"strings"
	"sync"
)

// requestSide and responseSide number the sides.
const (
	requestSide = iota
	responseSide
)

// side is the one of that number.
func (s *story) side(number int) *side {
	if number == requestSide {
		return &s.request
	}
	return &s.response
}

// sideNames are what watchers know the sides by.
var sideNames = [...]string{requestSide: "request", responseSide: "response"}

// A side is the request or the answer.
type side struct {
	header, trailer []Field
	cut             bool
	contentType     string
	coding          string // of the body; what it packs is looked into when it is retold
	body            body
}

func (s *side) setHeader(header []Field, set *patterns) (cost int) {
	s.coding = codingOf(header)
	s.body.declared = lengthOf(header)
	s.header, cost, s.cut = keepFields(header, set)
	s.contentType = value(s.header, "Content-Type")
	return cost
}

func (s *side) setTrailer(trailer []Field, set *patterns) (cost int) {
	var cut bool
	s.trailer, cost, cut = keepFields(trailer, set)
	s.cut = s.cut || cut
	return cost
}

// A body is what is kept of one: its first bytes, as they came. To look for secrets
// takes many times as long as to copy, and most bodies are never looked at: they are
// masked when they are retold.
type body struct {
	size     int64
	declared int64 // by Content-Length; 0 = unknown
	kept     stored
	marks    []Mark    // of kept
	set      *patterns // what was secret when kept last grew
	show     show
	dropped  bool // nothing is kept, whatever comes
	partial  bool // something is not in kept
	ended    bool
	whole    bool // it ended regularly
}

func (b *body) drop(spare *slabs) (gain int) {
	b.partial, b.dropped = b.partial || b.size > 0, true
	gain = b.kept.drop(spare) + costOfMarks(b.marks)
	b.marks = nil
	return gain
}

// room is how much more is kept of a body of at most limit bytes.
func (b *body) room(limit int64) int {
	if b.dropped {
		return 0
	}
	return max(0, int(limit)-b.kept.size)
}

// keep copies as much of p as there is room for, and returns what memory that took.
func (b *body) keep(p []byte, limit int64, spare *slabs) (cost int) {
	n := min(len(p), b.room(limit))
	b.partial = b.partial || n < len(p)
	return b.kept.add(p[:n], min(b.declared, limit), spare)
}

var scratch = sync.Pool{New: func() any { return new([]byte) }}

func (e *Exchange) addBody(side int, p []byte) {
	if len(p) == 0 {
		return
	}
	e.mu.Lock()
	if e.story != nil && !e.side(side).body.ended {
		e.grow(side, p)
	}
	e.mu.Unlock()
	e.r.fit()
}

func (e *Exchange) grow(side int, p []byte) {
	s := e.side(side)
	b := &s.body
	if e.r.watch.follows(e.id) {
		e.show(side, p)
	}
	b.size += int64(len(p))
	if b.room(e.r.options.Body) > 0 {
		b.set = e.r.secrets.recent()
		e.mark(s)
	}
	e.spend(b.keep(p, e.r.options.Body, &e.r.spare))
	if side == requestSide {
		e.findEvent(false)
	}
}

func (e *Exchange) endBody(side int, whole bool) {
	b := &e.side(side).body
	if b.ended {
		return
	}
	if e.r.watch.follows(e.id) {
		e.showEnd(side, whole)
	}
	if side == requestSide {
		e.findEvent(true)
	}
	b.ended, b.whole = true, whole
}

// findEvent looks for the event that is posted: in the first piece of the body, each
// time it has doubled, and at the end in all of it.
func (e *Exchange) findEvent(end bool) {
	s := &e.request
	b := &s.body
	if e.r.options.EventName == nil || e.event != "" || b.kept.size == 0 || !isMultipart(s.contentType) {
		return
	}
	text := b.kept.pieces[0]
	if end {
		text = b.kept.bytes()
	} else if len(text) < min(2*e.tried, slabSize) || len(text) == e.tried {
		return
	}
	e.tried = len(text)
	// The name is decoded, so it may hold what a look at the body does not find.
	e.event = clip(b.set.text(e.r.options.EventName(s.contentType, text)), maxWord)
}

func isMultipart(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, "/")
	return strings.EqualFold(kind, "multipart")
}
