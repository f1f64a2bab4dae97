package capture

import "avsproxy/internal/redact"

// A liveView is a body as its followers see it while it passes. Secrets are masked even
// if they are split between chunks.
type liveView struct {
	mask    redact.Masker
	scanned int64 // bytes of the body that mask has received
	offset  int64 // of the next byte that is shown
}

// emit shows p, the next piece of a body, to the followers.
func (e *recording) emit(s *side, p []byte) {
	b, set := &s.body, e.r.secrets.Recent()
	b.advance(set)
	buffer := scratch.Get().(*[]byte)
	defer scratch.Put(buffer)
	out, skipped := b.live.mask.Add((*buffer)[:0], p, set)
	b.live.scanned += int64(len(p))
	b.live.offset += int64(skipped)
	e.emitMasked(s, out)
	*buffer = out[:0]
}

// emitEnd shows what was pending until the end of the body.
func (e *recording) emitEnd(s *side, whole bool) {
	b, set := &s.body, e.r.secrets.Recent()
	b.advance(set)
	e.emitMasked(s, b.live.mask.End(nil, set, whole))
}

func (e *recording) emitMasked(s *side, out []byte) {
	if len(out) > 0 && s.coding == "" { // no masker finds secrets in a coded body
		name := ResponseSide
		if s == &e.request {
			name = RequestSide
		}
		e.r.watch.chunk(e.id, name, s.body.live.offset, out)
	}
	s.body.live.offset += int64(len(out))
}

// advance gives the masker what passed while there was no follower. A new follower gets
// those bytes from the record.
func (b *body) advance(set *redact.Patterns) {
	for p := range b.kept.from(int(min(b.live.scanned, int64(b.kept.size)))) {
		out, skipped := b.live.mask.Add(nil, p, set)
		b.live.offset += int64(len(out) + skipped)
		b.live.scanned += int64(len(p))
	}
	if missing := b.size - b.live.scanned; missing > 0 {
		b.live.offset += b.live.mask.Skip(missing)
		b.live.scanned = b.size
	}
}
