package capture

import "avsproxy/internal/redact"

// A liveView is a body as its followers see it while it passes. Secrets are masked even
// if they are split between chunks.
type liveView struct {
	mask    redact.Masker
	scanned int64 // bytes of the body that mask has received
	offset  int64 // of the next byte that is shown
}

// view returns the view, which few bodies have.
func (b *body) view() *liveView {
	if b.live == nil {
		b.live = new(liveView)
	}
	return b.live
}

// emit shows p, the next piece of a body, to the followers.
func (e *recording) emit(s *side, p []byte) {
	b, set := &s.body, e.r.secrets.Recent()
	if b.messages {
		out, _ := maskMessages(p, set)
		e.emitMasked(s, out)
		return
	}
	b.advance(set)
	buffer := scratch.Get().(*[]byte)
	defer scratch.Put(buffer)
	out, skipped := b.view().mask.Add((*buffer)[:0], p, set)
	b.view().scanned += int64(len(p))
	b.view().offset += int64(skipped)
	e.emitMasked(s, out)
	*buffer = out[:0]
}

// emitEnd shows what was pending until the end of the body.
func (e *recording) emitEnd(s *side, whole bool) {
	b, set := &s.body, e.r.secrets.Recent()
	if b.messages {
		return
	}
	b.advance(set)
	e.emitMasked(s, b.view().mask.End(nil, set, whole))
}

func (e *recording) emitMasked(s *side, out []byte) {
	if len(out) > 0 && s.coding == "" { // no masker finds secrets in a coded body
		name := ResponseSide
		if s == &e.request {
			name = RequestSide
		}
		e.r.watch.chunk(e.id, name, s.body.view().offset, out)
	}
	s.body.view().offset += int64(len(out))
}

// advance gives the masker what passed while there was no follower. A new follower gets
// those bytes from the record.
func (b *body) advance(set *redact.Patterns) {
	for p := range b.kept.from(int(min(b.view().scanned, int64(b.kept.size)))) {
		out, skipped := b.view().mask.Add(nil, p, set)
		b.view().offset += int64(len(out) + skipped)
		b.view().scanned += int64(len(p))
	}
	if missing := b.size - b.view().scanned; missing > 0 {
		b.view().offset += b.view().mask.Skip(missing)
		b.view().scanned = b.size
	}
}
