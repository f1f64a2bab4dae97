package testkit

import (
	"bytes"
	"sync"
)

// A Buffer may be written and read at the same time.
type Buffer struct {
	mu      sync.Mutex
	buffer  bytes.Buffer
	once    sync.Once
	Written chan struct{} // closed by the first write
}

// NewBuffer returns an empty one.
func NewBuffer() *Buffer { return &Buffer{Written: make(chan struct{})} }

// Write implements [io.Writer].
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.once.Do(func() { close(b.Written) })
	return b.buffer.Write(p)
}

// Bytes is what was written so far.
func (b *Buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buffer.Bytes())
}

// String is what was written so far.
func (b *Buffer) String() string { return string(b.Bytes()) }
