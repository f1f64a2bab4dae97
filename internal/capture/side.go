package capture

import "sync"

// piece is how much of a body is masked and copied while its exchange is locked.
const piece = 16 << 10

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

// A body is what is kept of one. Bytes are masked on their way in.
type body struct {
	request bool
	size    int64
	kept    []byte
	offset  int64 // where the next retold byte stands
	mask    masker
	dropped bool // nothing is kept, whatever comes
	partial bool // something is not in kept
	ended   bool
	whole   bool // it ended regularly
}

func (b *body) drop() {
	b.partial = b.partial || b.size > 0
	b.kept, b.dropped = nil, true
}

func (b *body) side() string {
	if b.request {
		return "request"
	}
	return "response"
}

// room is how much more is kept of a body of at most limit bytes.
func (b *body) room(limit int64) int {
	if b.dropped {
		return 0
	}
	return int(limit) - len(b.kept)
}

var scratch = sync.Pool{New: func() any { return new([]byte) }}

// addBody goes piece by piece, so that nobody who looks at the exchange waits for
// the copy of a large chunk.
func (e *Exchange) addBody(s *side, p []byte) {
	for len(p) > 0 {
		n := min(len(p), piece)
		e.mu.Lock()
		if !e.done && !s.body.ended {
			e.addPiece(s, p[:n])
		}
		e.mu.Unlock()
		p = p[n:]
	}
	e.r.fit()
}

func (e *Exchange) addPiece(s *side, p []byte) {
	b := &s.body
	b.size += int64(len(p))
	if b.room(e.r.options.Body) <= 0 && !e.r.watch.follows(e.id) {
		b.offset += int64(b.mask.lose(len(p)))
		b.partial = true
		return
	}
	buffer := scratch.Get().(*[]byte)
	out, skipped := b.mask.add((*buffer)[:0], p, e.r.secrets.recent())
	b.offset += int64(skipped)
	e.retell(s, out)
	*buffer = out[:0]
	scratch.Put(buffer)
}

// retell keeps masked bytes as far as there is room, and shows them to those who
// follow the exchange.
func (e *Exchange) retell(s *side, out []byte) {
	b := &s.body
	if len(out) == 0 {
		return
	}
	if s.coding == "" {
		e.r.watch.chunk(e.id, b.side(), b.offset, out)
	}
	b.offset += int64(len(out))
	n := min(len(out), b.room(e.r.options.Body))
	if n < len(out) {
		b.partial = true
	}
	if n <= 0 {
		return
	}
	before := cap(b.kept)
	b.kept = append(b.kept, out[:n]...)
	e.spend(cap(b.kept) - before)
	e.findEvent(s, false)
}

func (e *Exchange) endBody(s *side, whole bool) {
	b := &s.body
	if b.ended {
		return
	}
	e.retell(s, b.mask.end(nil, e.r.secrets.recent()))
	e.findEvent(s, true)
	b.ended, b.whole = true, whole
}

// findEvent looks for the event that is posted, each time the body has grown by a
// quarter, and at its end.
func (e *Exchange) findEvent(s *side, end bool) {
	kept := s.body.kept
	if e.r.options.EventName == nil || !s.body.request || e.event != "" || len(kept) == e.tried {
		return
	}
	if end || len(kept) >= e.tried+e.tried/4 {
		e.tried = len(kept)
		e.event = clip(e.r.options.EventName(s.contentType, kept), maxWord)
	}
}
