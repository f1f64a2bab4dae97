package h2

import (
	"io"
	"math"
	"net"
	"time"

	"avsproxy/internal/netconn"
)

// A Framing is how the messages of a session stand on its connection: in HTTP/2's frames, or
// as another protocol has it. Its methods are called with the group's lock held, and must not
// wait. Those that append return out with what is to be sent behind it.
type Framing interface {
	// Take takes what it can of the bytes that came, and returns how many those are. It is
	// asked again with the rest when more have come, or, where it was blocked (see
	// [Session.Block]), when it no longer is. An error ends the connection.
	Take(p []byte) (used int, err error)
	// TakeEnd hears that no more bytes come. An error ends the connection. Nil = it ends with
	// what is under way.
	TakeEnd() error
	// AppendHead is the head of a request, 1xx or final answer. fin = it is all of the message.
	AppendHead(out []byte, st *Stream, fields []Field, fin bool) []byte
	// AppendData is a piece of a body, of at least one byte.
	AppendData(out []byte, st *Stream, p []byte, fin bool) []byte
	// AppendEnd ends a body behind its data, with a trailer or nil.
	AppendEnd(out []byte, st *Stream, trailer []Field) []byte
	// AppendReset ends a stream before its time.
	AppendReset(out []byte, st *Stream, code ErrCode) []byte
	// AppendCredit lets n more bytes come in on a stream.
	AppendCredit(out []byte, st *Stream, n int) []byte
	// AppendGoAway says that no further requests are taken. An empty text comes without an error.
	AppendGoAway(out []byte, code ErrCode, text string) []byte
	// Gone hears that a stream has ended.
	Gone(st *Stream)
}

// What a framing of another protocol calls. All of it is for who holds the group's lock.

// With begins a session that speaks another protocol than HTTP/2. Its streams have no windows
// of the other side's; they are numbered as HTTP/2's. Of the configuration FirstTimeout bounds
// the wait until [Session.Settle] is called.
func (g *Group) With(conn net.Conn, config Config, server bool, framing func(*Session) Framing) *Session {
	config.PrefaceRead = true
	s := g.newSession(conn, config, server)
	s.prompt, s.patient = true, true
	s.peer = peerSettings{streams: 1, window: math.MaxInt64 / 2, header: math.MaxUint32, mentioned: true}
	s.window = s.peer.window
	s.framing = framing(s)
	return s
}

// Settle says that the other side speaks the protocol. It reports whether that was new.
func (s *Session) Settle() bool {
	if s.isSettled() {
		return false
	}
	close(s.settled)
	return true
}

func (s *Session) isSettled() bool {
	select {
	case <-s.settled:
		return true
	default:
		return false
	}
}

// Block says that no bytes can be taken for now, or that they can again.
func (s *Session) Block(blocked bool) {
	if s.blocked = blocked; !blocked {
		s.unblocked.Broadcast()
	}
}

// Backlogged reports whether more waits to be written than a client can expect to add to.
func (s *Session) Backlogged() bool { return len(s.out) > maxOut }

// Begin opens the stream of a request whose head has come, and gives it to the [Acceptor]. size
// is that of the head. fin = it is all of the request.
func (s *Session) Begin(h *Head, size int, fin bool) *Stream {
	st := s.beginStream(size)
	st.inEnded = fin
	s.config.Accept(st, h, fin)
	return st
}

// BeginBroken opens a stream for the answer to a request that cannot be read, and gives it to
// [Config.Refuse].
func (s *Session) BeginBroken(why error) *Stream {
	st := s.beginStream(0)
	st.inEnded = true
	s.config.refuse(st, why)
	return st
}

func (s *Session) beginStream(size int) *Stream {
	if s.last += 2; s.last >= maxStreamID {
		s.last = 1
	}
	return s.newStream(s.last, size)
}

// Leave lets no further request on the connection, which ends with the one under way.
func (s *Session) Leave() {
	s.leaving = true
	s.stop()
	s.endPatience()
	s.touch()
}

// endPatience bounds the wait for requests whose answers were early.
func (s *Session) endPatience() {
	for st := range s.streams.all {
		if s.patient && st.lingers && st.outEnded {
			st.endLingering()
		}
	}
}

// Abort ends the connection at once, so that the other side does not take that for the end of a
// message. It is for who does not hold the group's lock.
func (s *Session) Abort() {
	netconn.Reset(s.conn)
	s.Close()
}

// ExpectMore says that the other side sends something that is not for us any more.
func (s *Session) ExpectMore() { s.expectsMore = true }

// Leaving reports whether the connection takes no further requests.
func (s *Session) Leaving() bool { return s.leaving }

// Cut has the connection end, once all was written that waits, so that the other side does not
// take that for the end of a message.
func (s *Session) Cut() {
	s.cutting = true
	s.Leave()
}

// Conn is the session's connection.
func (s *Session) Conn() net.Conn { return s.conn }

// Window is how many bytes may come in now.
func (st *Stream) Window() int { return st.allowed }

// InEnded reports whether all has come in.
func (st *Stream) InEnded() bool { return st.inEnded }

// Gone reports whether the stream has ended.
func (st *Stream) Gone() bool { return st.gone }

// Receive takes a piece of a body that came in, within its window.
func (st *Stream) Receive(p []byte, fin bool) {
	st.allowed -= len(p)
	st.inEnded = fin
	st.end.Data(p, fin)
	if fin {
		st.endIfDone()
	}
}

// ReceiveHead takes the head of an answer: 1xx, or the final one. fin = it is all of it.
func (st *Stream) ReceiveHead(h *Head, fin bool) {
	if h.Status >= 200 {
		st.headIn, st.s.answered, st.inEnded = true, true, fin
	}
	st.end.Head(h, fin)
	if fin {
		st.endIfDone()
	}
}

// ReceiveTrailer takes the trailer behind a body that came in.
func (st *Stream) ReceiveTrailer(trailer []Field) {
	st.inEnded = true
	st.end.Trailer(trailer)
	st.endIfDone()
}

// Break ends a stream whose other side is gone.
func (st *Stream) Break(err *ResetError) { st.close(err) }

// An answering end can answer a request of which the rest cannot be read.
type answering interface{ Broken(err *ResetError) }

// BreakBody says that the rest of a body that comes in cannot be read.
func (st *Stream) BreakBody(err *ResetError) {
	st.inEnded = true
	if end, ok := st.end.(answering); ok {
		end.Broken(err)
		st.endIfDone()
	} else {
		st.Reset(err.Code)
	}
}

// takeEnd has a session go on that gets no more bytes, and returns when that has ended.
func (s *Session) takeEnd(err error) error {
	if err != io.EOF {
		return err
	}
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	if s.err != nil || s.closing {
		return err
	}
	s.group.now = time.Now()
	if ended := s.framing.TakeEnd(); ended != nil {
		return ended
	}
	s.noInput = true
	for pause := firstLook; s.err == nil && !s.closing; pause = min(2*pause, lastLook) {
		_ = s.conn.SetReadDeadline(time.Now().Add(pause)) // closeWhenRead makes it earlier
		s.group.mu.Unlock()
		gone := s.config.PeerGone != nil && s.config.PeerGone()
		known := true
		if !gone {
			gone, known = awaitHangup(s.conn)
		}
		s.group.mu.Lock()
		switch {
		case gone:
			return io.ErrUnexpectedEOF
		case !known && s.err == nil && !s.closing:
			s.unblocked.Wait()
		}
	}
	for s.err == nil && !s.closed {
		s.unblocked.Wait()
	}
	return err
}

// How often it is asked whether the other side is gone.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 5 * time.Second
)
