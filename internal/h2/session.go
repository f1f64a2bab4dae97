package h2

import (
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Group has sessions that share one lock, so that a stream of one can be joined to a
// stream of another. The zero value is ready.
type Group struct {
	// Memory bounds what the sessions hold for their clients, in bytes. Zero = it is not
	// bounded.
	Memory int64
	// Relieved hears how many connections were ended because that was full; nil = nobody
	// does.
	Relieved func(connections int)

	mu      sync.Mutex
	now     time.Time  // when what is done now began; whoever takes the lock to do much sets it
	pending []Reporter // see later
	running bool       // a goroutine calls them
	free    []*Stream  // nobody knows them any more

	held      int64 // bytes, by the prices of memory.go
	isFull    atomic.Bool
	relieving bool
	rounds    int                   // of relieving
	room      *sync.Cond            // of who waits for it; nil = nobody ever did
	served    map[*Session]struct{} // those of clients
}

const maxFree = 1024 // streams

// Locked calls f with the group's lock held.
func (g *Group) Locked(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

// stream returns a stream to be filled in.
func (g *Group) stream() *Stream {
	n := len(g.free)
	if n == 0 {
		return new(Stream)
	}
	st := g.free[n-1]
	g.free = g.free[:n-1]
	return st
}

// later has t called soon without the lock, behind what was given before.
func (g *Group) later(t Reporter) {
	g.pending = append(g.pending, t)
	if !g.running {
		g.running = true
		go g.callPending()
	}
}

func (g *Group) callPending() {
	g.mu.Lock()
	defer g.mu.Unlock()
	var spare []Reporter
	for len(g.pending) > 0 {
		all := g.pending
		g.pending = spare[:0]
		g.mu.Unlock()
		for _, t := range all {
			t.Report()
		}
		g.mu.Lock()
		for _, t := range all {
			t.Release()
		}
		clear(all)
		spare = all
	}
	g.running, g.pending = false, nil
}

// Config is how a session behaves. Zero values are those of the comments.
type Config struct {
	// Accept takes a request that came in, of a server; see [Acceptor].
	Accept Acceptor
	// MaxStreams is how many requests a client may have under way. Zero = 250.
	MaxStreams uint32
	// MaxHeader bounds a block of fields, in the bytes of RFC 9113 section 6.5.2. Zero = 64 KiB.
	MaxHeader int
	// ExtendedConnect tells clients that they may use RFC 8441.
	ExtendedConnect bool
	// Refuse answers a request that cannot be taken, such as [ErrHeadTooLarge]. Nil = 431.
	Refuse func(st *Stream, why error)
	// FirstTimeout bounds the wait for the other side's SETTINGS. Zero = 10 s.
	FirstTimeout time.Duration
	// PrefaceRead = the client's preface has been read.
	PrefaceRead bool
	// IdleTimeout bounds how long a connection stays open with no request under way. Zero =
	// for ever.
	IdleTimeout time.Duration
	// Idle hears, with the group's lock held, whether a connection has no request under way;
	// nil = nobody does.
	Idle func(idle bool)
	// PeerGone reports whether the other side is gone for good that sends nothing more; nil =
	// that is not known.
	PeerGone func() bool
	// StateChanged hears, with the group's lock held, that streams or settings have changed;
	// nil = nobody does.
	StateChanged func(*Session)
}

// An Acceptor decides what becomes of a request. It is called with the group's lock held and
// must not wait. It may send on the stream at once, and has to give it an end
// ([Stream.SetEnd]) where something can come in on it still. fin = nothing can.
type Acceptor func(st *Stream, h *Head, fin bool)

const (
	defaultStreams = 250
	defaultHeader  = 64 << 10
	firstTimeout   = 10 * time.Second
	maxTable       = 4 << 10 // of HPACK, either way
	drainTime      = 200 * time.Millisecond
)

func (c *Config) stateChanged(s *Session) {
	if c.StateChanged != nil {
		c.StateChanged(s)
	}
}

// A Session is one HTTP/2 connection, as its client or its server.
type Session struct {
	group   *Group
	conn    net.Conn
	server  bool
	config  Config
	framing Framing

	done    chan struct{} // closed when the connection has ended
	settled chan struct{} // closed when the other side's first SETTINGS have come
	gone    chan struct{} // closed when it takes no more requests

	// Of the reader alone.
	block    headBlock
	decoder  *decoder
	fields   []Field // of the block that is decoded
	size     int     // of them
	received Head    // reused

	// Under the group's lock.
	err         error // why the connection ended; nil = it has not
	peer        peerSettings
	streams     streamTable
	last        uint32 // the stream that was opened last, by the client
	resets      resetLog
	held        int   // bytes that the group counts for it, with those of its streams elsewhere
	reading     int   // of these, the buffer of the reader
	buffered    int   // those of the writer
	window      int64 // that the other side gives to the connection
	allowed     int64 // that we give
	extra       int   // what streams may send us beyond streamWindow, together
	out         []byte
	wake        sync.Cond // of the writer
	encoder     *encoder
	encoded     []byte       // the block that is sent
	turns       turns        // streams that have DATA to send and may
	goAway      *GoAwayError // that the other side sent; nil = none
	goAwayLast  uint32
	reserved    int  // places of requests that were not sent yet
	leaving     bool // we have said GOAWAY, or will not use the connection any more
	closing     bool // nothing more will be sent
	closed      bool // and the other side has been told so
	cutting     bool // see Cut
	noInput     bool // nothing more comes
	prompt      bool // it is closed without waiting for the other side, unless
	expectsMore bool // that is known to send something still
	patient     bool // a request may end long behind its answer
	blocked     bool // see Block
	unblocked   sync.Cond
	hijacked    chan []byte // gets what was read ahead; nil = the connection is the session's
	handedOver  bool        // what was read ahead is the handler\'s
	readEnded   bool        // nobody reads any more
	writing     bool        // the writer writes
	unwritten   int         // answers whose end is in out, or being written
	answered    bool        // the head of an answer has come, of a client
	given       uint32      // the last stream whose head was given to the connection, of a client
	sent        uint32      // the last one whose head was written
	wellIdle    bool        // the other side closed it between frames, while nothing was under way
	limits      limits
	pings       map[[8]byte]chan struct{}
	lastRead    time.Time
	lastSent    time.Time
	idleTimer   *time.Timer // of a server that has an IdleTimeout
}

// Server begins a session for a client's connection. Serve runs it.
func (g *Group) Server(conn net.Conn, config Config) *Session { return g.session(conn, config, true) }

// Client begins a session to a server. Serve runs it.
func (g *Group) Client(conn net.Conn, config Config) *Session { return g.session(conn, config, false) }

func (g *Group) session(conn net.Conn, config Config, server bool) *Session {
	s := g.newSession(conn, config, server)
	s.peer = peerSettings{streams: maxStreamID, window: defaultWindow, header: math.MaxUint32}
	s.window, s.allowed = defaultWindow, connWindow
	s.framing = (*framed)(s)
	s.encoder = newEncoder()
	s.decoder = newDecoder()
	s.hello()
	return s
}

func (g *Group) newSession(conn net.Conn, config Config, server bool) *Session {
	if config.MaxStreams == 0 {
		config.MaxStreams = defaultStreams
	}
	if config.MaxHeader == 0 {
		config.MaxHeader = defaultHeader
	}
	if config.FirstTimeout == 0 {
		config.FirstTimeout = firstTimeout
	}
	now := time.Now()
	s := &Session{
		group: g, conn: conn, server: server, config: config,
		done: make(chan struct{}), settled: make(chan struct{}), gone: make(chan struct{}),
		lastRead: now, lastSent: now,
	}
	s.wake.L, s.unblocked.L = &g.mu, &g.mu
	return s
}

// Serve reads and writes until the connection has ended, and returns why; nil = both sides
// were done with it.
func (s *Session) Serve() error {
	written := make(chan struct{})
	s.serve(true)
	defer s.serve(false)
	if !s.isSettled() {
		_ = s.conn.SetReadDeadline(time.Now().Add(s.config.FirstTimeout)) // without deadlines the other side's own end must do
	}
	go func() {
		defer close(written)
		s.write()
	}()
	rest, err := s.read()
	if s.endReading() {
		<-written
		s.handOver(rest)
		return ErrHijacked
	}
	if !errors.As(err, new(ConnError)) { // else a GOAWAY goes out
		s.conn.Close()
		s.awaitWriter()
	}
	s.end(err)
	<-written
	s.drain()
	s.conn.Close()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// awaitWriter waits until it is known whether what is being written went out.
func (s *Session) awaitWriter() {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	for s.writing {
		s.wake.Wait()
	}
}

// drain reads on for a moment behind a GOAWAY of ours: where bytes are left, closing would
// be a reset, which may take the GOAWAY away from who has not read it yet.
func (s *Session) drain() {
	half, ok := s.conn.(interface{ CloseWrite() error })
	if s.err == nil || !ok || half.CloseWrite() != nil {
		return
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(drainTime))
	_, _ = io.CopyN(io.Discard, s.conn, largeRead)
}

// end ends the connection: what is written already goes out, with a GOAWAY where the other
// side broke the rules.
func (s *Session) end(err error) {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	s.endLocked(err)
}

func (s *Session) endLocked(err error) {
	if s.err != nil {
		return
	}
	s.err, s.group.now = err, time.Now()
	var broken ConnError
	if errors.As(err, &broken) {
		s.goodbye(broken.Code, broken.Text)
		if err != errFull {
			_ = s.conn.SetWriteDeadline(time.Now().Add(time.Second)) // the other side may not read any more
		}
	}
	for st := range s.streams.all {
		st.close(&ResetError{Code: InternalError, Err: s.cause(), Unprocessed: s.unprocessed(st, err)})
	}
	s.stop()
	if s.idleTimer != nil {
		s.idleTimer.Stop()
	}
	close(s.done)
	s.config.stateChanged(s)
	s.wake.Broadcast()
	s.unblocked.Broadcast()
}

// cause is why the connection ended, by the other side's own word where it said one.
func (s *Session) cause() error {
	if s.goAway != nil {
		return *s.goAway
	}
	return s.err
}

// stop lets nobody open streams any more.
func (s *Session) stop() {
	select {
	case <-s.gone:
	default:
		close(s.gone)
	}
}

// unprocessed reports whether the other side certainly has not seen the request of a stream
// of ours: its head is still here.
func (s *Session) unprocessed(st *Stream, err error) bool {
	return !s.server && st.id > s.given && err != nil
}

// Close ends the connection at once, with whatever is under way on it.
func (s *Session) Close() {
	s.end(net.ErrClosed)
	if !s.isHandedOver() {
		s.conn.Close()
	}
}

// Done is closed when the connection has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Settled is closed when the other side's first SETTINGS have come.
func (s *Session) Settled() <-chan struct{} { return s.settled }

// Gone is closed when the session takes no more requests: after a GOAWAY, or its end.
func (s *Session) Gone() <-chan struct{} { return s.gone }

// Err is why the connection ended; nil = it has not.
func (s *Session) Err() error {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	if s.err == nil {
		return nil
	}
	return s.cause()
}

// over reports whether nothing more will come or go: it was said goodbye, and nothing is under
// way.
func (s *Session) over() bool {
	return (s.leaving || s.goAway != nil) && s.streams.len() == 0 && s.reserved == 0
}

// touch has the writer look for what is to be sent.
func (s *Session) touch() { s.wake.Broadcast() }
