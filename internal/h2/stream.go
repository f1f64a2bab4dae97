package h2

import (
	"time"
)

// An End gets what comes in on a stream. Its methods are called with the group's lock held,
// must not wait, and must not keep what they are given but for its texts.
type End interface {
	// Head is an answer's: 1xx or final. A server's requests go to its [Acceptor] instead.
	Head(h *Head, fin bool)
	// Data is a piece of a body, as one frame had it. The end calls [Stream.Credit] for its
	// bytes when it has taken them.
	Data(p []byte, fin bool)
	// Trailer ends a body.
	Trailer(fields []Field)
	// Reset says that nothing more comes, before a fin.
	Reset(err *ResetError)
}

// A Source is where the bytes come from that a stream sends.
type Source interface {
	// Credit says that n bytes were sent on, maybe with the stream's end.
	Credit(n int)
}

// A Stream is one request and its answer on a session. Its methods are for who holds the
// group's lock.
type Stream struct {
	s  *Session
	id uint32

	// What comes in.
	end     End
	inEnded bool
	headIn  bool  // the final head of an answer has come
	rest    int64 // of Content-Length; -1 = unknown
	allowed int   // window that is left
	limit   int   // window that we give
	taken   int   // bytes that the end has taken and that were not given back yet
	flowed  int   // since the window grew

	// What goes out.
	source   Source
	window   int64
	queue    queue
	fin      bool // END_STREAM goes out behind the queue
	cut      bool // RST_STREAM with cutCode does
	cutCode  ErrCode
	trailer  []Field
	outEnded bool
	inTurn   bool
	gone     bool // it has ended
	lingers  bool // see Linger
	price    int  // that is counted for it

	noBody bool // the answer has none, whatever Content-Length says: to a HEAD, 204, 304
}

// newStream opens a stream. more is what its head holds, in bytes.
func (s *Session) newStream(id uint32, more int) *Stream {
	st := s.group.stream()
	*st = Stream{s: s, id: id, rest: -1, allowed: streamWindow, limit: streamWindow, window: s.peer.window}
	st.queue.owner = s
	st.addPrice(streamPrice + more)
	if s.streams.add(st); s.streams.len() == 1 {
		s.setIdle(false)
	}
	s.config.stateChanged(s)
	return st
}

// addPrice counts n bytes for what the stream is.
func (st *Stream) addPrice(n int) {
	st.price += n
	st.s.charge(n)
}

// ID is the stream's number (RFC 9113 section 5.1.1).
func (st *Stream) ID() uint32 { return st.id }

// Now is when what is done now began. It is asked for once for many frames.
func (st *Stream) Now() time.Time { return st.s.group.now }

// Session is the session that the stream belongs to.
func (st *Stream) Session() *Session { return st.s }

// SetEnd says who gets what comes in from now on.
func (st *Stream) SetEnd(end End) { st.end = end }

// SetSource says who hears of bytes that were sent on.
func (st *Stream) SetSource(source Source) { st.source = source }

// Queued is how many bytes wait to be sent.
func (st *Stream) Queued() int { return st.queue.size }

// SendHead sends the head of an answer. fin = it is all of the answer.
func (st *Stream) SendHead(fields []Field, fin bool) {
	if st.gone || st.outEnded {
		return
	}
	st.sendHead(fields, fin)
	if fin {
		st.endOut()
	}
}

func (st *Stream) sendHead(fields []Field, fin bool) {
	st.s.makeRoom(smallOut / 4)
	st.s.out = st.s.framing.AppendHead(st.s.out, st, fields, fin)
	st.s.touch()
}

// SendContinue asks a client for the body that it holds back (RFC 9110 section 10.1.1).
func (st *Stream) SendContinue() { st.SendHead([]Field{{Name: ":status", Value: "100"}}, false) }

// SendData sends a piece of a body, as a frame of its own where the windows allow. It copies
// p. fin = it is the last one; p may be empty then.
func (st *Stream) SendData(p []byte, fin bool) {
	if st.gone || st.outEnded || st.fin {
		return
	}
	st.fin = fin
	if st.sendNow(p) {
		return
	}
	st.queue.add(p)
	st.takeTurn()
}

// sendNow sends a piece at once, as a frame of its own, where nothing waits before it and the
// windows allow.
func (st *Stream) sendNow(p []byte) bool {
	s, n := st.s, int64(len(p))
	if n == 0 || st.queue.size > 0 || n > min(maxPayload, st.window, s.window) || len(s.turns.list) > 0 || len(s.out) >= maxOut {
		return false
	}
	s.makeRoom(pieceExtra + len(p))
	s.out = s.framing.AppendData(s.out, st, p, st.fin)
	s.touch()
	st.sent(len(p), st.fin)
	return true
}

// sent notes n bytes that went out; last = with the end of the stream.
func (st *Stream) sent(n int, last bool) {
	st.window -= int64(n)
	st.s.window -= int64(n)
	if last {
		st.endOut()
	} else {
		st.takeTurn()
	}
	if st.source != nil {
		st.source.Credit(n)
	}
}

// SendTrailer ends the body.
func (st *Stream) SendTrailer(fields []Field) {
	if st.gone || st.outEnded || st.fin {
		return
	}
	st.fin, st.trailer = true, append([]Field{}, fields...)
	st.takeTurn()
}

// sendEndWith ends the body, with a trailer where there is one.
func (st *Stream) sendEndWith(trailer []Field) {
	if len(trailer) == 0 {
		st.SendData(nil, true)
		return
	}
	st.SendTrailer(trailer)
}

// resetBehind resets the stream when what is queued has gone out.
func (st *Stream) resetBehind(code ErrCode) {
	st.cut, st.cutCode = true, code
	st.takeTurn()
}

// Reset ends the stream both ways. The other side hears the code.
func (st *Stream) Reset(code ErrCode) {
	if st.gone {
		return
	}
	st.s.unwritten++
	st.s.out = st.s.framing.AppendReset(st.s.out, st, code)
	st.s.touch()
	st.forget()
}

// lingerTime is how long we read on behind an answer.
const lingerTime = 2 * time.Second

// Linger is for a request that was answered before its end. What comes is read on for a
// while: clients that are still sending would lose the answer over a reset. Then the stream
// is reset without an error (RFC 9113 section 8.1).
func (st *Stream) Linger() {
	if st.gone || st.inEnded {
		return
	}
	st.end, st.lingers = discard{st}, true
	if st.outEnded {
		st.endLingering()
	}
}

// endLingering resets the stream when its time is over, which begins with the answer's end.
func (st *Stream) endLingering() {
	if st.s.patient && !st.s.leaving {
		return
	}
	time.AfterFunc(lingerTime, func() {
		st.s.group.mu.Lock()
		defer st.s.group.mu.Unlock()
		st.Reset(NoError)
	})
}

// takeTurn puts the stream among those that send, if it has something and may. An end
// without DATA needs no window, and waits for no turn.
func (st *Stream) takeTurn() {
	switch {
	case st.inTurn || st.gone || st.outEnded:
	case st.queue.size > 0 && st.window > 0:
		st.s.turns.add(st)
		st.s.touch()
	case st.queue.size == 0 && st.cut:
		st.Reset(st.cutCode)
	case st.queue.size == 0 && st.fin:
		st.sendEnd()
	}
}

// sendQueued sends one frame.
func (st *Stream) sendQueued() {
	s := st.s
	n := int(min(int64(st.queue.first()), maxPayload, st.window, s.window))
	if n <= 0 {
		return
	}
	last := st.fin && n == st.queue.size && st.trailer == nil
	s.makeRoom(pieceExtra + n)
	s.out = s.framing.AppendData(s.out, st, st.queue.peek(n), last)
	st.queue.skip(n)
	st.sent(n, last)
}

// sendEnd ends the body when nothing is queued any more.
func (st *Stream) sendEnd() {
	st.s.out = st.s.framing.AppendEnd(st.s.out, st, st.trailer)
	st.s.touch()
	st.endOut()
}

func (st *Stream) endOut() {
	st.outEnded = true
	st.s.unwritten++
	st.endIfDone()
	if st.lingers && !st.gone {
		st.endLingering()
	}
}

// endIfDone forgets a stream that has ended both ways.
func (st *Stream) endIfDone() {
	if !st.gone && st.inEnded && st.outEnded {
		st.forget()
	}
}

// close tells the end that nothing more comes.
func (st *Stream) close(err *ResetError) {
	if st.gone {
		return
	}
	end, over := st.end, st.inEnded && st.outEnded
	st.forget()
	if end != nil && !over {
		end.Reset(err)
	}
}

// forget removes the stream from its session.
func (st *Stream) forget() {
	st.gone = true
	st.s.extra -= st.limit - streamWindow
	st.s.streams.remove(st)
	st.addPrice(-st.price)
	st.s.noteIdle()
	st.queue.drop()
	if st.inTurn {
		st.s.turns.remove(st)
	}
	if st.s.over() {
		st.s.touch()
	}
	st.s.framing.Gone(st)
	st.s.config.stateChanged(st.s)
}

// Locked calls f with the group's lock held, for who does not hold it.
func (st *Stream) Locked(f func()) {
	st.s.group.mu.Lock()
	defer st.s.group.mu.Unlock()
	st.s.group.now = time.Now()
	f()
}
