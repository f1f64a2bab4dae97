package h2

import (
	"encoding/binary"
	"runtime"
	"sync"
	"time"
)

const (
	maxOut   = 256 << 10 // bytes that wait for the writer before no more DATA is added
	smallOut = 4 << 10   // a buffer that a quiet session keeps
	largeOut = maxOut + 32<<10
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
				g.mu.Unlock()
				s.closeWhenRead() // TLS writes, and the other side may not read
				g.mu.Lock()
				continue
			}
			s.out, spare = release(s.out), release(spare)
			s.countBuffers(s.out, spare)
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

// closeWhenRead ends a connection on which nothing more will come or go: the reader finds
// its end.
func (s *Session) closeWhenRead() {
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(time.Second))
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

// appendHead appends HEADERS, and CONTINUATION where one frame does not do.
func (s *Session) appendHead(id uint32, fields []Field, fin bool) {
	s.encoded = s.encoder.block(s.encoded[:0], fields)
	s.appendBlock(id, fin)
}

func (s *Session) appendBlock(id uint32, fin bool) {
	block := s.encoded
	kind, flags := byte(frameHeaders), byte(0)
	if fin {
		flags = flagEndStream
	}
	for {
		piece := block[:min(len(block), maxPayload)]
		if block = block[len(piece):]; len(block) == 0 {
			flags |= flagEndHeaders
		}
		s.out = append(appendFrameHead(s.out, len(piece), kind, flags, id), piece...)
		if len(block) == 0 {
			break
		}
		kind, flags = frameContinuation, 0
	}
	s.touch()
}

func (s *Session) appendReset(id uint32, code ErrCode) {
	s.unwritten++
	s.out = appendFrameHead(s.out, 4, frameRSTStream, 0, id)
	s.out = binary.BigEndian.AppendUint32(s.out, uint32(code))
	s.touch()
}

func (s *Session) appendGoAway(last uint32, code ErrCode, text string) {
	s.out = appendFrameHead(s.out, 8+len(text), frameGoAway, 0, 0)
	s.out = binary.BigEndian.AppendUint32(s.out, last)
	s.out = binary.BigEndian.AppendUint32(s.out, uint32(code))
	s.out = append(s.out, text...)
	s.leaving = true
	s.touch()
}
