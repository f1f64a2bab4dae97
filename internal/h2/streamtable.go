package h2

// A streamTable has the streams of a session that are open. Most were opened one after the
// other, and stand in a ring; the rest is in a map.
type streamTable struct {
	ring  []*Stream // by number; its length is a power of two, or zero
	rest  map[uint32]*Stream
	count int
}

const (
	minStreamRing = 8
	maxStreamRing = 512
)

func (t *streamTable) len() int { return t.count }

// place is where a stream of that number stands in the ring, if it does.
func (t *streamTable) place(id uint32) **Stream { return &t.ring[int(id>>1)&(len(t.ring)-1)] }

// get returns a stream; nil = it is not open.
func (t *streamTable) get(id uint32) *Stream {
	if len(t.ring) == 0 {
		return nil
	}
	if st := *t.place(id); st != nil && st.id == id {
		return st
	}
	return t.rest[id]
}

func (t *streamTable) add(st *Stream) {
	t.count++
	for len(t.ring) == 0 || *t.place(st.id) != nil && len(t.ring) < maxStreamRing {
		t.grow()
	}
	if place := t.place(st.id); *place == nil {
		*place = st
		return
	}
	if t.rest == nil {
		t.rest = map[uint32]*Stream{}
	}
	t.rest[st.id] = st
}

// grow doubles the ring. Whatever stood alone in it does so afterwards.
func (t *streamTable) grow() {
	before := t.ring
	t.ring = make([]*Stream, max(2*len(before), minStreamRing))
	for _, st := range before {
		if st != nil {
			*t.place(st.id) = st
		}
	}
}

func (t *streamTable) remove(st *Stream) {
	t.count--
	if place := t.place(st.id); *place == st {
		*place = nil
	} else {
		delete(t.rest, st.id)
	}
}

// all yields the streams. Those that it was called for may be removed meanwhile.
func (t *streamTable) all(yield func(*Stream) bool) {
	for _, st := range t.ring {
		if st != nil && !yield(st) {
			return
		}
	}
	for _, st := range t.rest {
		if !yield(st) {
			return
		}
	}
}
