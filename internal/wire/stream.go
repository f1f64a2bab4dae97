package wire

import (
	"io"
	"sync/atomic"

	"golang.org/x/net/http2"
)

// A Stream is one request and its answer, as its frames show them. Forget it when the
// answer has ended.
type Stream struct {
	ID     uint32
	conn   *Client
	unsent atomic.Bool // writing its HEADERS failed

	// Under the lock of conn:
	data  []dataFrame // that came and were not read yet
	ended bool        // END_STREAM came
	reset bool
	code  http2.ErrCode
}

// A dataFrame is what counts of a DATA frame.
type dataFrame struct {
	size int
	last bool // it ends the stream
}

// next takes the next DATA frame, if it has come.
func (s *Stream) next() (f dataFrame, ok bool) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if len(s.data) == 0 {
		return dataFrame{}, false
	}
	f, s.data = s.data[0], s.data[1:]
	return f, true
}

// Reset returns the code with which the server reset the stream, if it did.
func (s *Stream) Reset() (code http2.ErrCode, ok bool) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return s.code, s.reset
}

// Unprocessed reports whether the server did not and will not look at the request: it
// refused the stream, or sent GOAWAY with a lower one (RFC 9113 section 8.7), or never
// got it.
func (s *Stream) Unprocessed() bool {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	switch {
	case s.unsent.Load():
		return true
	case s.reset:
		return s.code == http2.ErrCodeRefusedStream
	}
	return s.conn.away != nil && s.ID > s.conn.away.last
}

// Forget ends the notes on the stream.
func (s *Stream) Forget() {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	delete(s.conn.streams, s.ID)
}

// Body returns body, the stream's answer, so that no Read returns more than one
// DATA frame's bytes: what the server flushed by itself can be passed on by itself.
// The end comes with the last bytes where one frame has both.
func (s *Stream) Body(body io.ReadCloser) io.ReadCloser {
	return &framedBody{ReadCloser: body, stream: s}
}

type framedBody struct {
	io.ReadCloser
	stream *Stream
	frame  dataFrame // that is being read; its size is that of the bytes to come
}

// Read implements [io.Reader].
func (b *framedBody) Read(p []byte) (int, error) {
	if b.frame.size == 0 && len(p) > 0 {
		frame, ok := b.stream.next()
		if !ok {
			return b.await(p)
		}
		b.frame = frame
	}
	return b.read(p)
}

// await reads one byte: by then its frame is known.
func (b *framedBody) await(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:1])
	if n == 0 || err != nil {
		return n, err
	}
	b.frame, _ = b.stream.next()
	b.frame.size = max(0, b.frame.size-n)
	if b.frame.size == 0 || len(p) == n {
		return n, b.end()
	}
	more, err := b.read(p[n:]) // is there already, as frames come whole
	return n + more, err
}

func (b *framedBody) read(p []byte) (int, error) {
	if b.frame.size > 0 {
		p = p[:min(len(p), b.frame.size)]
	}
	n, err := b.ReadCloser.Read(p)
	b.frame.size = max(0, b.frame.size-n)
	if err == nil {
		err = b.end()
	}
	return n, err
}

// end reads the end of the stream, if the frame that was read had it.
func (b *framedBody) end() error {
	if !b.frame.last || b.frame.size > 0 {
		return nil
	}
	_, err := b.ReadCloser.Read(make([]byte, 1))
	return err
}
