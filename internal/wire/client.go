package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// ErrClosed is what Ping answers on a connection that has ended.
var ErrClosed = errors.New("the connection is closed")

// A Client is the client's end of an HTTP/2 connection. Give it to net/http as a
// clear connection that speaks HTTP/2 by prior knowledge, whatever encrypts it below.
type Client struct {
	net.Conn
	// Ended, if set, is called when the connection takes no more requests: nil = the
	// server said goodbye by GOAWAY (RFC 9113 section 6.8). It is called again when
	// net/http knows of the goodbye, and when the connection closes. Set it before net/http gets the connection.
	Ended func(cause error)

	in    *bufio.Reader
	left  int // bytes to come of the payload that is being read
	head  [headLen]byte
	give  []byte                // what of head was not handed out yet
	heard atomic.Int64          // when something came, and
	said  atomic.Int64          // when something was sent, in nanoseconds since 1970
	cause atomic.Pointer[error] // why reading ended
	done  chan struct{}
	shut  sync.Once

	greeted bool // SETTINGS came; of reading
	settled chan struct{}
	parted  bool // GOAWAY came; of reading

	writing sync.Mutex // for out, and so that frames stay whole
	out     track
	wanted  atomic.Pointer[ping] // not sent yet

	mu      sync.Mutex
	ping    *ping
	pings   uint64
	last    uint32  // stream that was opened last
	fresh   *Stream // it, until it is claimed
	streams map[uint32]*Stream
	away    *goAway
}

// A goAway is what the server said when it took its leave.
type goAway struct {
	last uint32
	code http2.ErrCode
}

// A ping is under way, and shared by all that wait for its answer.
type ping struct {
	frame [headLen + 8]byte
	done  chan struct{}
}

// NewClient returns the client's end of a connection on which nothing was sent yet.
func NewClient(conn net.Conn) *Client {
	c := &Client{
		Conn:    conn,
		in:      bufio.NewReader(conn),
		done:    make(chan struct{}),
		settled: make(chan struct{}),
		out:     track{skip: len(preface)},
		streams: map[uint32]*Stream{},
	}
	c.hear()
	c.said.Store(c.heard.Load())
	return c
}

// hear notes when something came. The time is that of the wall clock: one that
// stands still while the machine sleeps would call a dead connection fresh.
func (c *Client) hear() { c.heard.Store(time.Now().UnixNano()) }

// Silence is how long nothing has come from the server, time asleep included.
func (c *Client) Silence() time.Duration { return since(&c.heard) }

func since(at *atomic.Int64) time.Duration {
	passed := time.Duration(time.Now().UnixNano() - at.Load())
	return max(passed, -passed) // the clock may have been set back
}

// Quiet is how long nothing has been sent to the server, which may end a connection
// whose client says nothing, however much it says itself.
func (c *Client) Quiet() time.Duration { return since(&c.said) }

// Settled is closed when net/http knows the server's first SETTINGS, and with them how
// many streams it may open (RFC 9113 section 5.1.2).
func (c *Client) Settled() <-chan struct{} { return c.settled }

func (c *Client) settleOnce() {
	select {
	case <-c.settled:
	default:
		close(c.settled)
	}
}

// Done is closed when the connection ends.
func (c *Client) Done() <-chan struct{} { return c.done }

// NetConn returns the connection below.
func (c *Client) NetConn() net.Conn { return c.Conn }

// closePatience bounds TLS's goodbye: a dead connection may have no room for it. net/http
// does the same where TLS is on top.
const closePatience = 250 * time.Millisecond

// Close implements [net.Conn].
func (c *Client) Close() error {
	first := false
	c.shut.Do(func() { close(c.done); first = true })
	if first { // not within Do: who hears of it may close too
		c.ended(c.why())
	}
	if below, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
		sever := time.AfterFunc(closePatience, func() { below.NetConn().Close() })
		defer sever.Stop()
	}
	return c.Conn.Close()
}

// why is the error that ended reading, if that came first.
func (c *Client) why() error {
	if err := c.cause.Load(); err != nil {
		return *err
	}
	return ErrClosed
}

// Read implements [net.Conn]. It never hands out more than a piece of one frame, and
// what the frame means is noted before net/http hears of it.
func (c *Client) Read(p []byte) (int, error) {
	if len(c.give) == 0 && c.left == 0 {
		if err := c.nextFrame(); err != nil {
			c.cause.Store(&err)
			return 0, err
		}
	}
	if len(c.give) > 0 {
		n := copy(p, c.give)
		c.give = c.give[n:]
		return n, nil
	}
	n, err := c.in.Read(p[:min(len(p), c.left)])
	c.left -= n
	c.hear()
	return n, err
}

func (c *Client) nextFrame() error {
	if c.greeted { // and net/http has done with it: it asks for the next frame
		c.greeted = false
		c.settleOnce()
	}
	if c.parted {
		c.parted = false
		c.ended(nil)
	}
	if _, err := io.ReadFull(c.in, c.head[:]); err != nil {
		return err
	}
	c.hear()
	f := parseHead(c.head[:])
	c.give, c.left = c.head[:], f.length
	return c.note(f)
}

// note looks into a frame as far as its meaning needs it.
func (c *Client) note(f frame) error {
	switch f.kind {
	case http2.FrameSettings:
		c.greeted = true
	case http2.FrameData:
		return c.noteData(f)
	case http2.FrameRSTStream:
		code, err := c.number(0)
		if stream := c.stream(f.stream); err == nil && stream != nil {
			c.noteReset(stream, http2.ErrCode(code))
		}
		return err
	case http2.FrameGoAway:
		return c.noteGoAway()
	case http2.FramePing:
		if f.flags.Has(http2.FlagPingAck) && f.length == 8 {
			return c.notePong()
		}
	}
	return nil
}

// noteReset knows of net/http that it opens no more streams where the server calls one
// a breach of the protocol.
func (c *Client) noteReset(stream *Stream, code http2.ErrCode) {
	stream.wasReset(code)
	if code == http2.ErrCodeProtocol {
		c.ended(fmt.Errorf("it reset a stream with %v", code))
	}
}

func (c *Client) noteData(f frame) error {
	size := f.length
	if f.flags.Has(http2.FlagDataPadded) && size > 0 {
		padding, err := c.in.Peek(1)
		if err != nil {
			return err
		}
		size -= 1 + int(padding[0])
	}
	if stream := c.stream(f.stream); stream != nil && size > 0 {
		stream.came(size)
	}
	return nil
}

// number peeks at 32 bits of the payload.
func (c *Client) number(at int) (uint32, error) {
	if c.left < at+4 {
		return 0, nil // net/http will complain of the frame
	}
	payload, err := c.in.Peek(at + 4)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(payload[at:]), nil
}

func (c *Client) noteGoAway() error {
	last, err := c.number(0)
	if err != nil {
		return err
	}
	code, err := c.number(4)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.away = &goAway{last & (1<<31 - 1), http2.ErrCode(code)}
	c.mu.Unlock()
	c.parted = true
	if http2.ErrCode(code) == http2.ErrCodeNo {
		c.ended(nil)
	} else {
		c.ended(fmt.Errorf("it ended the connection with %v", http2.ErrCode(code)))
	}
	return nil
}

func (c *Client) ended(cause error) {
	if c.Ended != nil {
		c.Ended(cause)
	}
}

func (c *Client) notePong() error {
	data, err := c.in.Peek(8)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ping != nil && [8]byte(data) == [8]byte(c.ping.frame[headLen:]) {
		close(c.ping.done)
		c.ping = nil
	}
	return nil
}

// Ping sends a PING (RFC 9113 section 6.7) and returns when it was answered.
// Whoever asks meanwhile waits for the same one.
func (c *Client) Ping(ctx context.Context) error {
	p := c.begin()
	go c.sendWanted() // which may wait for room until the connection is closed
	select {
	case <-p.done:
		return nil
	case <-c.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pingMark begins the data of our pings; net/http's own are random.
const pingMark = 0x61767370726f7879 // "avsproxy"

func (c *Client) begin() *ping {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ping == nil {
		c.pings++
		c.ping = &ping{done: make(chan struct{})}
		frame := appendHead(c.ping.frame[:0], frame{length: 8, kind: http2.FramePing})
		binary.BigEndian.AppendUint64(frame, pingMark^c.pings)
		c.wanted.Store(c.ping)
	}
	return c.ping
}

// sendWanted sends the ping that is wanted, unless somebody is writing, who will do
// it afterwards, or a frame is half written.
func (c *Client) sendWanted() {
	for c.wanted.Load() != nil && c.writing.TryLock() {
		between := c.out.between()
		if p := c.wanted.Load(); between && p != nil {
			c.wanted.Store(nil)
			c.said.Store(time.Now().UnixNano())
			_, _ = c.Conn.Write(p.frame[:]) // where it fails, no answer comes
		}
		c.writing.Unlock()
		if !between {
			return
		}
	}
}

// Write implements [net.Conn].
func (c *Client) Write(p []byte) (int, error) {
	n, err := c.write(p)
	if err == nil {
		c.sendWanted()
	}
	return n, err
}

func (c *Client) write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	before := c.Opened()
	c.said.Store(time.Now().UnixNano())
	c.out.follow(p, c.opened, ignore)
	n, err := c.Conn.Write(p)
	if now := c.Opened(); err != nil && now != nil && now != before {
		now.unsent.Store(true)
	}
	return n, err
}

func ignore(frame, int, []byte) {}

// opened notes the streams that net/http opens: the first HEADERS of each.
func (c *Client) opened(f frame) {
	if f.kind != http2.FrameHeaders {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.stream > c.last {
		c.last = f.stream
		c.fresh = &Stream{ID: f.stream, conn: c}
		c.streams[f.stream] = c.fresh
	}
}

// Opened returns the stream that was opened last; nil = none yet.
func (c *Client) Opened() *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[c.last]
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
