package frames

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// closeTimeout is how long a closing connection may stay open, so that the client reads
// the GOAWAY instead of a TCP reset.
const closeTimeout = time.Second

// A Conn is one connection. Its methods may be called from anywhere.
type Conn struct {
	server *Server
	id     int
	nc     net.Conn
	ctx    context.Context
	cancel context.CancelCauseFunc
	work   sync.WaitGroup // the writer and the handlers

	// Only the reading goroutine uses these.
	buffered *bufio.Reader
	in       *http2.Framer
	decoder  *hpack.Decoder
	block    headerBlock

	mu           sync.Mutex
	changed      *sync.Cond // wakes all that wait: for bytes to read or write, a window, or an end
	out          outbox
	readsStalled bool
	closing      bool  // the last bytes are queued
	err          error // why the connection ended; nil before
	streams      map[uint32]*Stream
	closed       closedStreams
	running      int    // handlers
	lastID       uint32 // the highest stream the client has opened
	goAwaySent   bool
	goAwayLast   uint32 // the last stream ID of the GOAWAY

	inWindow   inflow
	outWindow  window
	outInitial int64 // the send window of new streams
	maxFrame   int   // the largest frame that the client accepts
}

func newConn(ctx context.Context, s *Server, nc net.Conn) *Conn {
	c := &Conn{
		server:     s,
		id:         int(s.lastConn.Add(1)),
		nc:         nc,
		buffered:   bufio.NewReader(nc),
		streams:    map[uint32]*Stream{},
		inWindow:   inflow{window: connWindow},
		outWindow:  initialWindow,
		outInitial: initialWindow,
		maxFrame:   minMaxFrameSize,
	}
	c.in = http2.NewFramer(nil, c.buffered)
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.in.SetReuseFrames()
	c.in.SetMaxReadFrameSize(minMaxFrameSize)
	c.decoder = hpack.NewDecoder(headerTableSize, c.addField)
	c.decoder.SetMaxStringLength(maxBlock)
	c.changed = sync.NewCond(&c.mu)
	c.out.init(c.changed)
	return c
}

// ID numbers the connections of a server from 1.
func (c *Conn) ID() int { return c.id }

// NetConn returns the underlying connection.
func (c *Conn) NetConn() net.Conn { return c.nc }

// Context ends with the connection; its cause says why.
func (c *Conn) Context() context.Context { return c.ctx }

// GoAway sends a GOAWAY. The streams that the client has opened so far go on, and then
// the connection closes. It does not wait.
func (c *Conn) GoAway(code http2.ErrCode, debug string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.goAway(c.lastServed(), code, debug)
}

// GoAwayLast is GoAway with a last stream ID. It drops open streams above last without an
// answer. The connection stays open until stream last has come and ended.
func (c *Conn) GoAwayLast(last uint32, code http2.ErrCode, debug string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.goAway(last, code, debug)
}

// Close cuts the connection at once: under TCP the client sees a reset, under TLS
// no close_notify. Queued bytes are lost; see [Conn.Flush].
func (c *Conn) Close(err error) {
	if tcp, ok := innermost(c.nc).(interface{ SetLinger(int) error }); ok {
		tcp.SetLinger(0)
	}
	c.end(err)
}

// Flush waits until all queued bytes are written, or the connection has ended.
func (c *Conn) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.awaitWrite(func() error { return c.err })
}

// StallReads stops or resumes the reading of frames, of all streams.
func (c *Conn) StallReads(stall bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readsStalled = stall
	c.changed.Broadcast()
}

// StallWrites stops or resumes the writing of frames, of all streams, including answers
// to PING. Too many queued answers end the connection.
func (c *Conn) StallWrites(stall bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.stalled = stall
	c.changed.Broadcast()
}

// serve returns when the connection has ended and its goroutines with it.
func (c *Conn) serve() {
	c.work.Go(c.write)
	c.sendPreface()
	err := c.read()
	var broken http2.ConnectionError
	if errors.As(err, &broken) {
		c.closeWithError(broken)
		io.Copy(io.Discard, c.nc)
	}
	c.end(err)
	c.work.Wait()
	c.nc.Close() // a wrapper of the connection may need it
}

// lastServed is the last stream that was or will be served.
func (c *Conn) lastServed() uint32 {
	if c.goAwaySent {
		return min(c.goAwayLast, c.lastID)
	}
	return c.lastID
}

func (c *Conn) goAway(last uint32, code http2.ErrCode, debug string) {
	c.control(func(f *http2.Framer) { f.WriteGoAway(last, code, []byte(debug)) })
	c.goAwaySent, c.goAwayLast = true, last
	for id, s := range c.streams {
		if id > last {
			s.fail(fmt.Errorf("stream %d was dropped by GOAWAY", id), discarded)
		}
	}
	c.closeIfIdle()
}

// closeWithError ends all streams, and the connection when the GOAWAY is written.
func (c *Conn) closeWithError(code http2.ConnectionError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	reason := ""
	if detail := c.in.ErrorDetail(); detail != nil {
		reason = detail.Error()
	}
	c.goAway(c.lastServed(), http2.ErrCode(code), reason)
	for _, s := range c.streams {
		s.fail(code, discarded)
	}
}

// closeIfIdle closes a connection after GOAWAY, if no stream is left to serve.
func (c *Conn) closeIfIdle() {
	if c.goAwaySent && c.goAwayLast <= c.lastID && len(c.streams) == 0 {
		c.close()
	}
}

// close lets the writer finish, within closeTimeout.
func (c *Conn) close() {
	if c.closing || c.err != nil {
		return
	}
	c.closing = true
	c.nc.SetDeadline(time.Now().Add(closeTimeout))
	c.changed.Broadcast()
}

// end closes the connection at once, and wakes all that wait for it.
func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(err)
}

func (c *Conn) endLocked(err error) {
	if c.err != nil {
		return
	}
	if err == nil || errors.Is(err, io.EOF) { // io.EOF would look like the end of a body
		err = net.ErrClosed
	}
	c.err = fmt.Errorf("connection %d ended: %w", c.id, err)
	for _, s := range c.streams {
		s.fail(c.err, discarded)
	}
	c.cancel(c.err)
	c.changed.Broadcast()
	innermost(c.nc).Close() // TLS would wait for the client to take its close_notify
}

// innermost returns the connection inside of wrappers such as *tls.Conn.
func innermost(nc net.Conn) net.Conn {
	for {
		wrapper, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nc
		}
		nc = wrapper.NetConn()
	}
}
