package h2

import (
	"io"
	"sync"
)

// Buffers of the reader. An idle connection has none; a quiet one reads small pieces.
const (
	smallRead = 1 << 10
	largeRead = 64 << 10
)

var readBuffers = sync.Pool{New: func() any { return new([largeRead]byte) }}

// An input has what was read and not taken yet.
type input struct {
	conn       io.Reader
	small      []byte
	large      *[largeRead]byte // nil = small is enough
	start, end int
}

func (in *input) buffer() []byte {
	if in.large != nil {
		return in.large[:]
	}
	return in.small
}

func (in *input) bytes() []byte { return in.buffer()[in.start:in.end] }

func (in *input) skip(n int) { in.start += n }

// more reads once, behind what there is.
func (in *input) more() error {
	rest := in.bytes()
	switch {
	case in.large == nil && in.small == nil:
		in.small = make([]byte, smallRead)
	case in.large == nil && len(rest) > 0:
		in.grow(rest) // a frame that is not whole yet
	case in.large != nil && len(rest) == 0 && in.end < smallRead:
		in.free() // little comes
	}
	if len(rest) > 0 && in.start > 0 {
		copy(in.buffer(), rest)
	}
	in.start, in.end = 0, len(rest)
	n, err := in.conn.Read(in.buffer()[in.end:])
	in.end += n
	if in.large == nil && in.end == len(in.small) {
		in.grow(in.small)
	}
	if n > 0 {
		return nil
	}
	return err
}

func (in *input) grow(rest []byte) {
	in.large = readBuffers.Get().(*[largeRead]byte)
	n := copy(in.large[:], rest)
	in.start, in.end = 0, n
}

func (in *input) free() {
	if in.large != nil {
		readBuffers.Put(in.large)
		in.large, in.start, in.end = nil, 0, 0
	}
}
