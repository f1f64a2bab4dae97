package wire

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// ErrClosed is the error of Ping on a connection that has ended.
var ErrClosed = errors.New("the connection is closed")

// A Client is the client's end of an HTTP/2 connection. Give it to net/http as a
// clear connection that speaks HTTP/2 by prior knowledge, whatever encrypts it below.
type Client struct {
	net.Conn
	// Ended, if set, is called when the connection takes no more requests: nil = the
	// server sent GOAWAY without an error (RFC 9113 section 6.8). It is called again when
	// net/http has read the GOAWAY, and when the connection closes. Set it before
	// net/http gets the connection.
	Ended func(cause error)

	// Of reading; net/http does it on one goroutine.
	frames       frameReader
	settingsSeen bool
	goAwaySeen   bool // and Ended was not called again

	lastRead, lastWrite atomic.Int64          // in Unix nanoseconds
	cause               atomic.Pointer[error] // why reading ended
	maxStreams          atomic.Int64          // SETTINGS_MAX_CONCURRENT_STREAMS; negative = the server did not say
	settled             chan struct{}
	settle              func() // closes settled, once
	done                chan struct{}
	shut                sync.Once

	writing sync.Mutex // for out, and so that frames stay whole
	out     track
	duePing atomic.Pointer[ping] // not sent yet

	mu      sync.Mutex
	ping    *ping
	last    uint32  // stream that was opened last
	fresh   *Stream // it, until it is claimed
	streams map[uint32]*Stream
	away    *goAway
	// closedIdle: the server closed the connection, on which no stream was open.
	closedIdle bool
}

// NewClient returns the client's end of a connection on which nothing was sent yet.
func NewClient(conn net.Conn) *Client {
	c := &Client{
		Conn:    conn,
		frames:  frameReader{in: bufio.NewReader(conn)},
		done:    make(chan struct{}),
		settled: make(chan struct{}),
		out:     track{skip: len(preface)},
		streams: map[uint32]*Stream{},
	}
	c.settle = sync.OnceFunc(func() { close(c.settled) })
	c.maxStreams.Store(-1)
	setNow(&c.lastRead)
	setNow(&c.lastWrite)
	return c
}

// setNow stores the time of the wall clock: one that stands still while the machine
// sleeps would call a dead connection fresh.
func setNow(at *atomic.Int64) { at.Store(time.Now().UnixNano()) }

func since(at *atomic.Int64) time.Duration {
	passed := time.Duration(time.Now().UnixNano() - at.Load())
	return max(passed, -passed) // the clock may have been set back
}

// ReadIdle is how long nothing has come from the server, time asleep included.
func (c *Client) ReadIdle() time.Duration { return since(&c.lastRead) }

// WriteIdle is how long nothing has been sent to the server, which may end a connection
// whose client is silent, however much it sends itself.
func (c *Client) WriteIdle() time.Duration { return since(&c.lastWrite) }

// Settled is closed when net/http knows the server's first SETTINGS, and with them how
// many streams it may open (RFC 9113 section 5.1.2).
func (c *Client) Settled() <-chan struct{} { return c.settled }

// MaxStreams is how many streams the server allows at once, as it said last; ok = false:
// it did not say.
func (c *Client) MaxStreams() (most int, ok bool) {
	n := c.maxStreams.Load()
	return int(max(n, 0)), n >= 0
}

// EndedWell reports whether the server ended the connection in good order: by GOAWAY
// without an error, unless it looked at none of the requests, or by closing it while no
// stream was open.
func (c *Client) EndedWell() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away != nil {
		return c.away.code == http2.ErrCodeNo && (c.last == 0 || c.away.last > 0)
	}
	return c.closedIdle
}

// Took reports whether the server said with GOAWAY that it has looked at requests.
func (c *Client) Took() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.away != nil && min(c.away.last, c.last) > 0
}

// Done is closed when the connection ends.
func (c *Client) Done() <-chan struct{} { return c.done }

// NetConn returns the connection below.
func (c *Client) NetConn() net.Conn { return c.Conn }

// closeTimeout bounds the close_notify of TLS: a dead connection may have no room for
// it. net/http does the same where TLS is on top.
const closeTimeout = 250 * time.Millisecond

// Close implements [net.Conn].
func (c *Client) Close() error {
	first := false
	c.shut.Do(func() { close(c.done); first = true })
	if first { // not within Do: Ended may close too
		c.ended(c.readError())
	}
	if below, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
		sever := time.AfterFunc(closeTimeout, func() { below.NetConn().Close() })
		defer sever.Stop()
	}
	return c.Conn.Close()
}

// readError is the error that ended reading, if that came first.
func (c *Client) readError() error {
	if err := c.cause.Load(); err != nil {
		return *err
	}
	return ErrClosed
}

func (c *Client) ended(cause error) {
	if c.Ended != nil {
		c.Ended(cause)
	}
}

// Write implements [net.Conn].
func (c *Client) Write(p []byte) (int, error) {
	n, err := c.write(p)
	if err == nil {
		c.sendPing()
	}
	return n, err
}

func (c *Client) write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	var opened *Stream
	c.out.follow(p, func(f frame) { opened = cmp.Or(c.opened(f), opened) }, func(frame, int, []byte) {})
	setNow(&c.lastWrite)
	n, err := c.Conn.Write(p)
	if err != nil && opened != nil {
		opened.unsent.Store(true)
	}
	return n, err
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

// Claim returns the stream that was opened last, to the first caller; nil = none was
// since the last Claim. Call it where net/http has written HEADERS, or has failed to.
func (c *Client) Claim() *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	claimed := c.fresh
	c.fresh = nil
	return claimed
}

// A ping is under way, and shared by all that wait for its answer.
type ping struct {
	frame [headLen + 8]byte
	done  chan struct{}
}

// Ping sends a PING (RFC 9113 section 6.7) and returns when it was answered. Callers
// that come meanwhile wait for the same one.
func (c *Client) Ping(ctx context.Context) error {
	p := c.beginPing()
	go c.sendPing() // which may wait for room until the connection is closed
	select {
	case <-p.done:
		return nil
	case <-c.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) beginPing() *ping {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ping == nil {
		c.ping = &ping{done: make(chan struct{})}
		appendHead(c.ping.frame[:0], frame{length: 8, kind: http2.FramePing})
		rand.Read(c.ping.frame[headLen:]) // as net/http does for its own
		c.duePing.Store(c.ping)
	}
	return c.ping
}

// sendPing sends the ping that is due, unless a frame is half written, or another
// goroutine is writing: that one will send it afterwards.
func (c *Client) sendPing() {
	for c.duePing.Load() != nil && c.writing.TryLock() {
		between := c.out.between()
		if p := c.duePing.Load(); between && p != nil {
			c.duePing.Store(nil)
			setNow(&c.lastWrite)
			_, _ = c.Conn.Write(p.frame[:]) // where it fails, no answer comes
		}
		c.writing.Unlock()
		if !between {
			return
		}
	}
}
