package capture

// A show is a body as those see it who follow its exchange while it passes. Secrets
// are taken out on the way, across the borders of its pieces.
type show struct {
	mask   masker
	seen   int64 // bytes of the body that the masker has seen
	offset int64 // where the next byte stands in what is shown
}

// show shows p, which is the next of a body, to those who follow.
func (e *Exchange) show(side int, p []byte) {
	b, set := &e.side(side).body, e.r.secrets.recent()
	b.catchUp(set)
	buffer := scratch.Get().(*[]byte)
	defer scratch.Put(buffer)
	out, skipped := b.show.mask.add((*buffer)[:0], p, set)
	b.show.seen += int64(len(p))
	b.show.offset += int64(skipped)
	e.tell(side, out)
	*buffer = out[:0]
}

// showEnd shows what was held back until the body's end.
func (e *Exchange) showEnd(side int, whole bool) {
	b, set := &e.side(side).body, e.r.secrets.recent()
	b.catchUp(set)
	e.tell(side, b.show.mask.end(nil, set, whole))
}

func (e *Exchange) tell(side int, out []byte) {
	s := e.side(side)
	if len(out) > 0 && s.coding == "" { // what is packed shows its secrets to no masker
		e.r.watch.chunk(e.id, sideNames[side], s.body.show.offset, out)
	}
	s.body.show.offset += int64(len(out))
}

// catchUp has the masker see what passed while nobody followed: whoever begins to now
// has it from the record.
func (b *body) catchUp(set *patterns) {
	for p := range b.kept.from(int(min(b.show.seen, int64(b.kept.size)))) {
		out, skipped := b.show.mask.add(nil, p, set)
		b.show.offset += int64(len(out) + skipped)
		b.show.seen += int64(len(p))
	}
	if missed := b.size - b.show.seen; missed > 0 {
		b.show.offset += int64(b.show.mask.lose(int(missed)))
		b.show.seen = b.size
	}
}
