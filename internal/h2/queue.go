package h2

import (
	"iter"
	"slices"
	"sync"
)

// A queue holds the bytes of DATA frames that wait to be sent, with the borders between
// them. Small frames that wait behind many others lose their borders: they must not cost
// more than large ones.
type queue struct {
	size    int
	data    []byte // from start
	start   int
	borders []int    // sizes of the frames in it
	owner   *Session // for whose client it is held; nil = it is not counted
}

// count counts the memory that is more, or less, than before.
func (q *queue) count(before int) {
	if after := cap(q.data); after != before && q.owner != nil {
		q.owner.charge(after - before)
	}
}

// maxBorders is how many frames keep their borders.
const maxBorders = 64

func (q *queue) add(p []byte) {
	if len(p) == 0 {
		return
	}
	defer q.count(cap(q.data))
	if q.size == 0 {
		q.data, q.start = q.data[:0], 0
	}
	if q.start > 0 && len(q.data)+len(p) > cap(q.data) {
		q.data, q.start = append(q.data[:0], q.data[q.start:]...), 0
	}
	if need := len(q.data) + len(p); need > cap(q.data) {
		q.move(bufferFor(need))
	}
	q.data = append(q.data, p...)
	q.size += len(p)
	if n := len(q.borders); n >= maxBorders && q.borders[n-1]+len(p) <= maxPayload {
		q.borders[n-1] += len(p)
	} else {
		q.borders = append(q.borders, len(p))
	}
}

// queueBuffers have room for a window: what waits longer is as much, as a rule.
var queueBuffers = sync.Pool{New: func() any { return new([streamWindow]byte) }}

// bufferFor returns an empty buffer. Many streams may wait with a full window, so it is not
// much larger than what is needed.
func bufferFor(need int) []byte {
	switch {
	case need <= maxPayload:
		return make([]byte, 0, maxPayload)
	case need <= streamWindow:
		return queueBuffers.Get().(*[streamWindow]byte)[:0]
	}
	return make([]byte, 0, need+need/4)
}

// move copies what is held into a buffer that takes the place of its own.
func (q *queue) move(to []byte) {
	before := q.data
	q.data = append(to, before...)
	giveBack(before)
}

func giveBack(buffer []byte) {
	if cap(buffer) == streamWindow {
		queueBuffers.Put((*[streamWindow]byte)(buffer[:streamWindow]))
	}
}

// first is the size of the first frame.
func (q *queue) first() int { return q.borders[0] }

// take appends the first n bytes, which are of the first frame, to out.
func (q *queue) take(out []byte, n int) []byte {
	out = append(out, q.peek(n)...)
	q.skip(n)
	return out
}

// peek returns the first n bytes, which are of the first frame. They are to be used before
// anything else is done.
func (q *queue) peek(n int) []byte { return q.data[q.start : q.start+n] }

// skip removes the first n bytes.
func (q *queue) skip(n int) {
	q.start += n
	q.size -= n
	if q.borders[0] -= n; q.borders[0] == 0 {
		q.borders = slices.Delete(q.borders, 0, 1)
	}
	if q.size == 0 {
		q.drop()
	}
}

// frames yields what is held, and whether it is the last piece.
func (q *queue) frames() iter.Seq2[[]byte, bool] {
	return func(yield func([]byte, bool) bool) {
		at := q.start
		for i, n := range q.borders {
			if !yield(q.data[at:at+n], i == len(q.borders)-1) {
				return
			}
			at += n
		}
	}
}

// reset empties the queue. It keeps its memory, which nobody is counted for.
func (q *queue) reset() {
	if q.owner != nil {
		q.owner.charge(-cap(q.data))
	}
	*q = queue{data: q.data[:0], borders: q.borders[:0]}
}

// own says for whose client the queue is held.
func (q *queue) own(s *Session) {
	q.owner = s
	q.count(0)
}

// drop frees what is held.
func (q *queue) drop() {
	before := q.data
	*q = queue{owner: q.owner}
	q.count(cap(before))
	giveBack(before)
}

// turns are the streams that have something to send, in the order in which they may.
type turns struct{ list []*Stream }

func (t *turns) add(st *Stream) {
	st.inTurn = true
	t.list = append(t.list, st)
}

func (t *turns) remove(st *Stream) {
	st.inTurn = false
	at := slices.Index(t.list, st)
	t.list = slices.Delete(t.list, at, at+1)
}

// next returns the stream whose turn it is; nil = there is none.
func (t *turns) next() *Stream {
	if len(t.list) == 0 {
		return nil
	}
	st := t.list[0]
	t.list[0] = nil
	if t.list = t.list[1:]; len(t.list) == 0 {
		t.list = nil
	}
	st.inTurn = false
	return st
}
