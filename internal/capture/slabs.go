package capture

import (
	"iter"
	"slices"
	"sync"
)

// slabSize is the size of the pieces in which bodies are kept. It is that of an HTTP/2
// frame and of a TLS record, in which most bodies come.
const slabSize = 16 << 10

// maxSmall is the largest expected size of a body that gets memory of its own.
const maxSmall = 4 << 10

// slabs holds unused slabs for the next bodies: clearing new memory would be the largest
// cost of recording.
var slabs = sync.Pool{New: func() any { return new([slabSize]byte) }}

// stored holds bytes in pieces, so that they are not copied again when more are added.
// The zero value is empty.
type stored struct {
	pieces [][]byte
	size   int
}

// add appends a copy of p, and returns the memory used. declared is the length of the
// whole body; 0 means unknown.
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

// next returns an empty piece for n bytes or fewer.
func (s *stored) next(n int, declared int64) []byte {
	if expected := max(int64(n), declared); s.size == 0 && expected <= maxSmall {
		return make([]byte, 0, expected)
	}
	return slabs.Get().(*[slabSize]byte)[:0]
}

// drop removes all bytes, and returns the memory freed.
func (s *stored) drop() (gain int) {
	for _, piece := range s.pieces {
		gain += cap(piece)
		if cap(piece) == slabSize {
			slabs.Put((*[slabSize]byte)(piece[:slabSize]))
		}
	}
	*s = stored{}
	return gain
}

// from yields the bytes from offset on.
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

// bytes returns a copy in one piece.
func (s *stored) bytes() []byte { return slices.Concat(s.pieces...) }

// cost returns the memory used.
func (s *stored) cost() (cost int) {
	for _, piece := range s.pieces {
		cost += cap(piece)
	}
	return cost
}
