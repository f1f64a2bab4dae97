package frames

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
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
	block   bytes.Buffer // what the encoder writes

	pending, spare  []byte
	unread          int   // control frames in pending
	queued, written int64 // bytes since the start
	stalled         bool
	changed         *sync.Cond // the connection's
}

func (o *outbox) init(changed *sync.Cond) {
	o.framer = http2.NewFramer(o, nil)
	o.framer.AllowIllegalWrites = true
	o.encoder = hpack.NewEncoder(&o.block)
	o.changed = changed
}

// Write queues bytes for the framer. It never fails.
func (o *outbox) Write(p []byte) (int, error) {
	o.pending = append(o.pending, p...)
	o.queued += int64(len(p))
	o.changed.Broadcast()
	return len(p), nil
}

// headers queues a HEADERS frame and its CONTINUATIONs.
func (o *outbox) headers(id uint32, fields []hpack.HeaderField, end bool, maxFrame int) {
	o.block.Reset()
	for _, field := range fields {
		o.encoder.WriteField(field)
	}
	fragments := slices.Collect(slices.Chunk(o.block.Bytes(), maxFrame))
	for i, fragment := range fragments {
		last := i == len(fragments)-1
		if i == 0 {
			o.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: fragment, EndStream: end, EndHeaders: last})
		} else {
			o.framer.WriteContinuation(id, last, fragment)
		}
	}
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
	c.mu.Lock()
	for {
		for c.err == nil && (c.out.stalled || len(c.out.pending) == 0 && !c.closing) {
			c.changed.Wait()
		}
		batch := c.out.pending
		if c.err != nil || len(batch) == 0 {
			break
		}
		c.out.pending, c.out.spare, c.out.unread = c.out.spare[:0], batch, 0
		c.mu.Unlock()
		_, err := c.nc.Write(batch)
		c.mu.Lock()
		if err != nil {
			c.endLocked(fmt.Errorf("writing: %w", err))
			break
		}
		c.out.written += int64(len(batch))
		c.changed.Broadcast()
	}
	c.mu.Unlock()
	c.closeWrite()
}

// awaitWrite waits until all queued bytes are written, or returns why that fails.
func (c *Conn) awaitWrite(failed func() error) error {
	for mark := c.out.queued; c.out.written < mark; c.changed.Wait() {
		if err := failed(); err != nil {
			return err
		}
	}
	return nil
}

// closeWrite closes the sending side. The client closes the connection in answer, which
// ends the reading.
func (c *Conn) closeWrite() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		c.end(net.ErrClosed)
	}
}
