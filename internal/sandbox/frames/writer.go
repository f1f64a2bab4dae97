package frames

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// maxUnread is how many frames that nobody waits for, such as answers to PING,
// may be queued for a client that does not read.
const maxUnread = 1000

var errNotReading = errors.New("the client does not read what it asked for")

// An outbox is what is to be written. Frames are put into it in the order in
// which they go out; the connection's mutex guards it.
type outbox struct {
	framer  *http2.Framer // writes to the outbox
	encoder *hpack.Encoder
	block   blockBuffer

	pending, spare  []byte
	unread          int   // frames in pending that nobody waits for
	queued, written int64 // bytes since the beginning
	stalled         bool
	ready           *sync.Cond // there is something for the writer to do
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

// headers queues a HEADERS frame and the CONTINUATIONs it needs.
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

// control queues a frame that nobody waits for.
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

// write writes what is queued until the connection ends. While one batch is being
// written, the next one gathers.
func (c *Conn) write() {
	for {
		batch := c.nextBatch()
		if batch == nil {
			c.hangUp()
			return
		}
		if _, err := c.nc.Write(batch); err != nil {
			c.end(fmt.Errorf("writing: %w", err))
			return
		}
		c.wrote(len(batch))
	}
}

// nextBatch waits for something to write; nil is the end.
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

// hangUp says goodbye; the client answers it by closing, which ends the reading.
func (c *Conn) hangUp() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		c.end(net.ErrClosed)
	}
}
