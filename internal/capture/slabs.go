package capture

import (
	"iter"
	"slices"
	"sync"
)

// slabSize is that of the pieces in which bodies are kept: that of a frame of HTTP/2, and
// of a record of TLS, which is how they mostly come.
const slabSize = 16 << 10

// smallMost is what a body may be expected to have in all, so that it is kept by itself.
const smallMost = 4 << 10

// spareMost bounds the slabs that wait for a body, 1 MiB.
const spareMost = 64

// slabs go from the bodies that are forgotten to the next ones. Memory that is neither
// cleared nor collected makes most of the difference between a proxy that records and
// one that does not. (A sync.Pool would be emptied at each collection.)
type slabs struct {
	mu    sync.Mutex
	spare []*[slabSize]byte
}

func (s *slabs) get() *[slabSize]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.spare) - 1
	if last < 0 {
		return new([slabSize]byte)
	}
	slab := s.spare[last]
	s.spare = s.spare[:last]
	return slab
}

func (s *slabs) put(slab *[slabSize]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spare) < spareMost {
		s.spare = append(s.spare, slab)
	}
}

// stored is the first bytes of a body, in pieces, so that a body that grows is not
// copied again. The zero value is empty.
type stored struct {
	pieces [][]byte
	size   int
}

// add appends a copy of p, and returns what memory that took. declared is the length of
// all of the body; 0 = unknown.
func (s *stored) add(p []byte, declared int64, spare *slabs) (cost int) {
	for len(p) > 0 {
		last := len(s.pieces) - 1
		if last < 0 || len(s.pieces[last]) == cap(s.pieces[last]) {
			s.pieces = append(s.pieces, s.next(len(p), declared, spare))
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
func (s *stored) next(n int, declared int64, spare *slabs) []byte {
	if expected := max(int64(n), declared); s.size == 0 && expected <= smallMost {
		return make([]byte, 0, expected)
	}
	return spare.get()[:0]
}

// drop forgets all, and returns what memory that gave back.
func (s *stored) drop(spare *slabs) (gain int) {
	for _, piece := range s.pieces {
		gain += cap(piece)
		if cap(piece) == slabSize {
			spare.put((*[slabSize]byte)(piece[:slabSize]))
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

// cost is what memory it takes.
func (s *stored) cost() (cost int) {
	for _, piece := range s.pieces {
		cost += cap(piece)
	}
	return cost
}
