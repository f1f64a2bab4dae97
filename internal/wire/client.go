package wire

import (
	"bufio"
	"cmp"
	"errors"
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
	// net/http knows of the goodbye, and when the connection closes. Set it before
	// net/http gets the connection.
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
	most    atomic.Int64 // SETTINGS_MAX_CONCURRENT_STREAMS; negative = the server did not say
	parted  bool         // GOAWAY came; of reading

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
	// closedIdle: the server closed the connection, on which no stream was open.
	closedIdle bool
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
	c.most.Store(-1)
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

// MostStreams is how many streams the server allows at once, as it said last; ok = false:
// it did not say.
func (c *Client) MostStreams() (most int, ok bool) {
	n := c.most.Load()
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

func (c *Client) ended(cause error) {
	if c.Ended != nil {
		c.Ended(cause)
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
	var opened *Stream
	c.out.follow(p, func(f frame) { opened = cmp.Or(c.opened(f), opened) }, ignore)
	c.said.Store(time.Now().UnixNano())
	n, err := c.Conn.Write(p)
	if err != nil && opened != nil {
		opened.unsent.Store(true)
	}
	return n, err
}

func ignore(frame, int, []byte) {}
