package wire

import (
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
)

// A Stream is one request and its answer, as the frames tell it. Forget it when the
// answer has ended.
type Stream struct {
	ID     uint32
	conn   *Client
	unsent atomic.Bool // writing its HEADERS failed

	mu    sync.Mutex
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

// opened notes the stream that net/http opens with a frame, the first HEADERS of each,
// and returns it; nil = the frame opens none.
func (c *Client) opened(f frame) *Stream {
	if f.kind != http2.FrameHeaders {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.stream <= c.last { // trailers
		return nil
	}
	c.last = f.stream
	c.fresh = &Stream{ID: f.stream, conn: c}
	c.streams[f.stream] = c.fresh
	return c.fresh
}

// Claim returns the stream that was opened last, to the first who asks; nil = none was
// since the last Claim. Call it where net/http has written HEADERS, or has failed to.
func (c *Client) Claim() *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	claimed := c.fresh
	c.fresh = nil
	return claimed
}

func (c *Client) stream(id uint32) *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[id]
}

func (s *Stream) came(f dataFrame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = append(s.data, f)
}

func (s *Stream) wasReset(code http2.ErrCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reset, s.code = true, code
}

func (s *Stream) wasEnded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// over reports whether nothing more comes on the stream.
func (s *Stream) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended || s.reset
}

// next takes the next DATA frame, if it has come.
func (s *Stream) next() (f dataFrame, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.data) == 0 {
		return dataFrame{}, false
	}
	f, s.data = s.data[0], s.data[1:]
	return f, true
}

// Reset returns the code with which the server reset the stream, if it did.
func (s *Stream) Reset() (code http2.ErrCode, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.code, s.reset
}

// Unprocessed reports whether the server did not and will not look at the request: it
// refused the stream, or left with GOAWAY before it (RFC 9113 section 8.7), or never
// got it.
func (s *Stream) Unprocessed() bool {
	if s.unsent.Load() {
		return true
	}
	if code, reset := s.Reset(); reset {
		return code == http2.ErrCodeRefusedStream
	}
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
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
