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

// write sends what there is until the connection has ended.
func (s *Session) write() {
	var spare []byte
	g := s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		g.now = time.Now()
		s.pump()
		if len(s.out) == 0 {
			if s.err != nil {
				return
			}
			if s.over() && !s.closing {
				s.closing = true
				how := s.howToClose()
				g.mu.Unlock()
				s.closeWhenRead(how) // TLS writes, and the other side may not read
				g.mu.Lock()
				s.closed = true
				s.unblocked.Broadcast()
				continue
			}
			s.out, spare = release(s.out), release(spare)
			s.countBuffers(s.out, spare)
			if s.unwritten > 0 { // an end that needed no bytes
				s.unwritten = 0
				s.noteIdle()
			}
			s.wake.Wait()
			if s.err == nil { // who else was woken may add more: one write for all
				g.mu.Unlock()
				runtime.Gosched()
				g.mu.Lock()
			}
			continue
		}
		out := s.out
		s.out = spare[:0]
		before, ended := s.given, s.unwritten
		s.given = s.last
		s.lastSent, s.writing = g.now, true
		s.countBuffers(out, s.out)
		g.mu.Unlock()
		n, err := s.conn.Write(out)
		g.mu.Lock()
		s.writing = false
		s.wake.Broadcast()
		if s.blocked { // maybe by what was to be written
			s.Block(false)
		}
		if err != nil {
			if n == 0 {
				s.given = before // nobody has seen any of it
			}
			s.out = nil
			g.mu.Unlock()
			s.end(err)
			s.conn.Close() // wakes the reader
			g.mu.Lock()
			return
		}
		if s.unwritten -= ended; ended > 0 {
			s.noteIdle()
		}
		s.sent = s.given
		if spare = out; cap(spare) > largeOut {
			spare = nil
		}
	}
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
