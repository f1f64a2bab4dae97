package h2

import (
	"runtime"
	"sync"
	"time"

	"avsproxy/internal/netconn"
)

const (
	maxOut   = 256 << 10 // bytes that wait for the writer before no more DATA is added
	smallOut = 4 << 10   // a buffer that a quiet session keeps
	largeOut = maxOut + 32<<10

	pieceExtra = 32 // room for what stands around a piece of a body
)

// outBuffers are for sessions that send much. A quiet one has none.
var outBuffers = sync.Pool{New: func() any { return new([largeOut]byte) }}

// makeRoom makes room for n bytes in what is sent.
func (s *Session) makeRoom(n int) {
	if cap(s.out) < largeOut && len(s.out)+n > max(cap(s.out), smallOut) {
		s.out = append(outBuffers.Get().(*[largeOut]byte)[:0], s.out...)
		s.charge(largeOut)
		s.buffered += largeOut
	}
}

// release returns what a quiet session keeps of a buffer.
func release(buffer []byte) []byte {
	switch {
	case cap(buffer) == largeOut:
		outBuffers.Put((*[largeOut]byte)(buffer[:largeOut]))
		return nil
	case cap(buffer) > smallOut:
		return nil
	}
	return buffer[:0]
}

// write sends, until the connection has ended, what [Group.flush] leaves to it.
func (s *Session) write() {
	g := s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		if s.writing { // flush does
			s.wake.Wait()
			continue
		}
		g.now = time.Now()
		s.pump()
		switch {
		case len(s.out) > 0 || s.stuck:
			if !s.send(s.conn.Write) {
				return
			}
		case s.err != nil:
			return
		case s.over() && !s.closing:
			s.close()
		default:
			s.quiet()
			s.wake.Wait()
			if s.err == nil { // who else was woken may add more: one write for all
				g.mu.Unlock()
				runtime.Gosched()
				g.mu.Lock()
			}
		}
	}
}

// close ends the connection once all is sent.
func (s *Session) close() {
	s.closing = true
	how := s.howToClose()
	s.group.mu.Unlock()
	s.closeWhenRead(how) // TLS writes, and the other side may not read
	s.group.mu.Lock()
	s.closed = true
	s.unblocked.Broadcast()
}

// quiet is for a session that has nothing to send: it keeps no large buffers.
func (s *Session) quiet() {
	s.out, s.spare = release(s.out), release(s.spare)
	s.countBuffers(s.out, s.spare)
	if s.unwritten > 0 { // an end that needed no bytes
		s.unwritten = 0
		s.noteIdle()
	}
}

// send sends what is in out. It reports whether the connection can go on.
func (s *Session) send(write func([]byte) (int, error)) bool {
	out := s.out
	s.out, s.spare = s.spare[:0], nil
	before, ended := s.given, s.unwritten
	s.given = s.last
	s.lastSent, s.writing = s.group.now, true
	s.countBuffers(out, s.out)
	s.group.mu.Unlock()
	n, err := write(out)
	s.group.mu.Lock()
	s.writing, s.stuck = false, err == netconn.ErrFull
	if err != nil && n == 0 {
		s.given = before // nobody has seen any of it
	}
	s.unblocked.Broadcast() // for awaitWriter
	if s.stuck {
		s.out, s.spare = append(out[:copy(out, out[n:])], s.out...), s.out[:0]
		return true
	}
	if s.blocked { // maybe by what was to be written
		s.Block(false)
	}
	if err != nil {
		s.out = nil
		s.endLocked(err)
		s.group.mu.Unlock()
		s.conn.Close() // wakes the reader
		s.group.mu.Lock()
		return false
	}
	if s.unwritten -= ended; ended > 0 {
		s.noteIdle()
	}
	s.sent = s.given
	if s.spare = out; cap(out) > largeOut {
		s.spare = nil
	}
	return true
}

// A closing is a way to end a connection.
type closing int

const (
	lingering closing = iota // what still comes is read for a while
	noInput                  // nothing more comes
	atOnce
	byReset
)

func (s *Session) howToClose() closing {
	switch {
	case s.cutting:
		return byReset
	case s.noInput:
		return noInput
	case s.prompt && !s.expectsMore:
		return atOnce
	}
	return lingering
}

// closeWhenRead ends a connection on which nothing more will come or go: the reader finds
// its end. Where bytes come that nobody reads, closing would be a reset, which may take the last
// bytes away from who has not read them (RFC 9112 section 9.6).
func (s *Session) closeWhenRead(how closing) {
	half, ok := s.conn.(interface{ CloseWrite() error })
	switch {
	case how == byReset:
		netconn.Reset(s.conn)
	case how == atOnce || !ok:
		s.conn.Close()
	case half.CloseWrite() != nil || how == noInput:
		_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // wakes who waits for its end
	default:
		_ = s.conn.SetReadDeadline(time.Now().Add(time.Second))
	}
}

// pump adds DATA of the streams that may send, one frame each in turn.
func (s *Session) pump() {
	for len(s.out) < maxOut && s.window > 0 {
		st := s.turns.next()
		if st == nil {
			return
		}
		st.sendQueued()
	}
}

// goodbye says that no further requests are taken.
func (s *Session) goodbye(code ErrCode, text string) {
	s.leaving = true
	s.endPatience()
	s.out = s.framing.AppendGoAway(s.out, code, text)
	s.touch()
}
