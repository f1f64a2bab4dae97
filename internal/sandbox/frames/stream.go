package frames

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

var (
	errByClient = errors.New("reset by the client")
	errByServer = errors.New("reset by the server")
)

// A Stream is one request and its answer.
type Stream struct {
	conn     *Conn
	id       uint32
	ctx      context.Context
	cancel   context.CancelCauseFunc
	fields   []hpack.HeaderField
	length   int64 // of the body as declared, or -1
	bodyless bool  // END_STREAM came with the head

	// The connection's mutex guards the rest.
	body     bytes.Buffer
	received int64
	bodyErr  error // io.EOF after END_STREAM; nil while more may come
	trailer  []hpack.HeaderField
	in       inflow

	out      window
	headSent bool
	ended    bool
	closed   bool
	err      error // why it ended early
}

type streamKey struct{}

// FromContext returns the stream of a request to a handler of [HTTP], or nil.
func FromContext(ctx context.Context) *Stream {
	s, _ := ctx.Value(streamKey{}).(*Stream)
	return s
}

func newStream(c *Conn, b headerBlock, length int64) *Stream {
	s := &Stream{
		conn:   c,
		id:     b.id,
		fields: b.fields,
		length: length,
		in:     inflow{window: int64(c.server.streamWindow())},
		out:    window(c.outInitial),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.WithValue(c.ctx, streamKey{}, s))
	if s.bodyless = b.ends; s.bodyless {
		s.bodyErr = io.EOF
	}
	return s
}

// Context ends with the stream: when both sides have ended it, when one side resets it, or
// with its connection. Its cause says why.
func (s *Stream) Context() context.Context { return s.ctx }

// ID is the number of the stream on its connection.
func (s *Stream) ID() uint32 { return s.id }

// Conn returns the connection.
func (s *Stream) Conn() *Conn { return s.conn }

// Fields returns the request's fields unchanged and in order, the pseudo-header fields
// first.
func (s *Stream) Fields() []hpack.HeaderField { return slices.Clone(s.fields) }

// Trailer returns the fields after the body, once the body was read to EOF.
func (s *Stream) Trailer() []hpack.HeaderField {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return slices.Clone(s.trailer)
}

// Read reads the request's body: it waits for at least one byte, the end, or an error.
// Reading returns window to the client. If the stream breaks, the error comes after the
// bytes that had arrived.
func (s *Stream) Read(p []byte) (int, error) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	for s.body.Len() == 0 && s.bodyErr == nil {
		s.conn.changed.Wait()
	}
	if s.body.Len() == 0 {
		return 0, s.bodyErr
	}
	n, _ := s.body.Read(p)
	s.credit(int64(n))
	return n, nil
}

// receive adds a part of the body, which came in a frame of size bytes.
func (s *Stream) receive(data []byte, size int64, end bool) error {
	if !s.in.use(size) {
		return streamError(s.id, http2.ErrCodeFlowControl)
	}
	s.received += int64(len(data))
	if s.length >= 0 && s.received > s.length || end && s.incomplete() {
		return streamError(s.id, http2.ErrCodeProtocol)
	}
	s.body.Write(data)
	s.credit(size - int64(len(data)))
	if end {
		s.endBody()
	}
	s.conn.changed.Broadcast()
	return nil
}

// receiveTrailer handles the fields after the body, which must end the stream.
func (s *Stream) receiveTrailer(b headerBlock) error {
	if !b.ends || b.selfDependent || b.tooLarge || s.incomplete() || checkRegular(b.fields) != nil {
		return streamError(s.id, http2.ErrCodeProtocol)
	}
	s.trailer = b.fields
	s.endBody()
	return nil
}

func (s *Stream) incomplete() bool { return s.length >= 0 && s.received != s.length }

func (s *Stream) endBody() {
	s.bodyErr = io.EOF
	s.conn.changed.Broadcast()
	s.closeIfDone()
}

func (s *Stream) closeIfDone() {
	if s.ended && s.bodyErr == io.EOF {
		s.close(finished)
	}
}

// fail ends the stream early.
func (s *Stream) fail(err error, how closing) {
	if s.err != nil || s.closed {
		return
	}
	s.err = err
	if s.bodyErr == nil {
		s.bodyErr = err
	}
	s.close(how)
}

func (s *Stream) close(how closing) {
	s.closed = true
	delete(s.conn.streams, s.id)
	s.conn.closed.remember(s.id, how)
	s.cancel(s.err)
	s.conn.changed.Broadcast()
	s.conn.closeIfIdle()
}

// release is called after the handler. It drops the unread rest of the body.
func (s *Stream) release() {
	s.Reset(http2.ErrCodeInternal) // does nothing if it is closed, as it should be
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	c.credit(&c.inWindow, 0, int64(s.body.Len()))
	s.body = bytes.Buffer{}
}
