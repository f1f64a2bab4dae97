package h2

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"avsproxy/internal/netconn"
)

// A Session is one HTTP/2 connection, as its client or its server.
type Session struct {
	group    *Group
	conn     net.Conn
	server   bool
	config   Config
	framing  Framing
	tryWrite netconn.WriteNow // to the connection; nil = that has none

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
	spare       []byte    // becomes out when that is sent
	stuck       bool      // the connection had no room for all
	touched     bool      // it waits for flush
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
		group: g, conn: conn, server: server, config: config, tryWrite: netconn.WriteNowOf(conn),
		done: make(chan struct{}), settled: make(chan struct{}), gone: make(chan struct{}),
		lastRead: now, lastSent: now,
	}
	s.wake.L, s.unblocked.L = &g.mu, &g.mu
	return s
}

// Serve reads and writes until the connection has ended, and returns why; nil = both sides
// were done with it.
func (s *Session) Serve() error {
	s.serve(true)
	defer s.serve(false)
	if !s.isSettled() {
		_ = s.conn.SetReadDeadline(time.Now().Add(s.config.FirstTimeout)) // without deadlines the other side's own end must do
	}
	awaitEnd := s.startWriter()
	rest, err := s.read()
	if s.endReading() {
		awaitEnd()
		s.handOver(rest)
		return ErrHijacked
	}
	if !errors.As(err, new(ConnError)) { // else a GOAWAY goes out
		s.conn.Close()
		s.awaitWriter()
	}
	s.end(err)
	awaitEnd()
	s.drain()
	s.conn.Close()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// startWriter runs the writer. What it returns waits for its end, and panics where that did.
func (s *Session) startWriter() (awaitEnd func()) {
	ended := make(chan struct{})
	var fault any
	go func() {
		defer close(ended)
		defer func() {
			if fault = recover(); fault != nil {
				fault = fmt.Sprintf("%v\n%s", fault, debug.Stack())
				s.Close()
			}
		}()
		s.write()
	}()
	return func() {
		if <-ended; fault != nil {
			panic(fault)
		}
	}
}

// awaitWriter waits until it is known whether what is being written went out.
func (s *Session) awaitWriter() {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	for s.writing {
		s.unblocked.Wait()
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
