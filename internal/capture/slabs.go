package capture

import (
	"iter"
	"slices"
	"sync"
)

// slabSize is that of the pieces in which bodies are kept.
const slabSize = 8 << 10

// smallMost is what a body may be expected to have in all, so that it is kept by itself.
const smallMost = 2 << 10

// free slabs go from the bodies that are forgotten to the next ones. Memory that is
// neither cleared nor collected makes most of the difference between a proxy that
// records and one that does not.
var free = sync.Pool{New: func() any { return new([slabSize]byte) }}

// stored is the first bytes of a body, in pieces, so that a body that grows is not
// copied again. The zero value is empty.
type stored struct {
	pieces [][]byte
	size   int
}

// add appends a copy of p, and returns what memory that took. declared is the length of
// all of the body; 0 = unknown.
func (s *stored) add(p []byte, declared int64) (cost int) {
	for len(p) > 0 {
		last := len(s.pieces) - 1
		if last < 0 || len(s.pieces[last]) == cap(s.pieces[last]) {
			s.pieces = append(s.pieces, s.next(len(p), declared))
			last++
			cost += cap(s.pieces[last])
		}
		piece := s.pieces[last]
		n := min(len(p), cap(piece)-len(piece))
		s.pieces[last] = append(piece, p[:n]...)
		s.size += n
		p = p[n:]
	}
	return cost
}

// next is a piece for at least one of n bytes.
func (s *stored) next(n int, declared int64) []byte {
	if expected := max(int64(n), declared); s.size == 0 && expected <= smallMost {
		return make([]byte, 0, expected)
	}
	return free.Get().(*[slabSize]byte)[:0]
}

// drop forgets all, and returns what memory that gave back.
func (s *stored) drop() (gain int) {
	for _, piece := range s.pieces {
		gain += cap(piece)
		if cap(piece) == slabSize {
			free.Put((*[slabSize]byte)(piece[:slabSize]))
		}
	}
	*s = stored{}
	return gain
}

// from yields what is stored, from the byte at offset on.
func (s *stored) from(offset int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, piece := range s.pieces {
			skip := min(offset, len(piece))
			offset -= skip
			if skip < len(piece) && !yield(piece[skip:]) {
				return
			}
		}
	}
}

// bytes is a copy in one piece.
func (s *stored) bytes() []byte { return slices.Concat(s.pieces...) }
