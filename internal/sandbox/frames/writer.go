package frames

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// maxUnread is how many control frames, such as answers to PING, may be queued for a client
// that does not read.
const maxUnread = 1000

var errNotReading = errors.New("the client does not read what it asked for")

// An outbox is the queue of frames to write. The connection's mutex guards it.
type outbox struct {
	framer  *http2.Framer // writes to the outbox
	encoder *hpack.Encoder
	block   blockBuffer

	pending, spare  []byte
	unread          int   // control frames in pending
	queued, written int64 // bytes since the start
	stalled         bool
	ready           *sync.Cond // signals the writer
}

func (o *outbox) init(mu *sync.Mutex) {
	o.framer = http2.NewFramer(o, nil)
	o.framer.AllowIllegalWrites = true
	o.encoder = hpack.NewEncoder(&o.block)
	o.ready = sync.NewCond(mu)
}

// Write queues bytes for the framer. It never fails.
func (o *outbox) Write(p []byte) (int, error) {
	o.pending = append(o.pending, p...)
	o.queued += int64(len(p))
	o.ready.Signal()
	return len(p), nil
}

func (o *outbox) take() []byte {
	batch := o.pending
	o.pending, o.spare, o.unread = o.spare[:0], batch, 0
	return batch
}

// headers queues a HEADERS frame and its CONTINUATIONs.
func (o *outbox) headers(id uint32, fields []hpack.HeaderField, end bool, maxFrame int) {
	o.block = o.block[:0]
	for _, field := range fields {
		o.encoder.WriteField(field)
	}
	first, rest := cut(o.block, maxFrame)
	o.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndStream: end, EndHeaders: len(rest) == 0})
	for len(rest) > 0 {
		first, rest = cut(rest, maxFrame)
		o.framer.WriteContinuation(id, len(rest) == 0, first)
	}
}

type blockBuffer []byte

func (b *blockBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

func cut(p []byte, n int) (first, rest []byte) {
	n = min(n, len(p))
	return p[:n], p[n:]
}

// control queues a frame without waiting for its writing.
func (c *Conn) control(frame func(*http2.Framer)) {
	if c.closing || c.err != nil {
		return
	}
	if c.out.unread++; c.out.unread > maxUnread {
		c.endLocked(errNotReading)
		return
	}
	frame(c.out.framer)
}

// write writes the queue until the connection ends. The next batch is queued while one is
// being written.
func (c *Conn) write() {
	for {
		batch := c.nextBatch()
		if batch == nil {
			c.closeWrite()
			return
		}
		if _, err := c.nc.Write(batch); err != nil {
			c.end(fmt.Errorf("writing: %w", err))
			return
		}
		c.wrote(len(batch))
	}
}

// nextBatch waits for bytes to write; nil means the end.
func (c *Conn) nextBatch() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && (c.out.stalled || len(c.out.pending) == 0 && !c.closing) {
		c.out.ready.Wait()
	}
	if c.err != nil || len(c.out.pending) == 0 {
		return nil
	}
	return c.out.take()
}

func (c *Conn) wrote(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.written += int64(n)
	c.progress.Broadcast()
}

// closeWrite closes the sending side. The client closes the connection in answer, which
// ends the reading.
func (c *Conn) closeWrite() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		c.end(net.ErrClosed)
	}
}
