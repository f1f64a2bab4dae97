package h2

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// ErrHijacked is what [Session.Serve] returns where a handler has taken over the connection.
var ErrHijacked = errors.New("h2: the connection was taken over")

// Hijack implements [http.Hijacker] for requests of HTTP/1.x. What is sent already goes out
// before.
func (w *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	switch {
	case !w.http1:
		return nil, nil, http.ErrNotSupported
	case w.hijacked:
		return nil, nil, http.ErrHijacked
	}
	rest, err := w.st.s.hijack(w.st)
	if err != nil {
		return nil, nil, err
	}
	w.hijacked = true
	conn := w.st.s.conn
	in := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(rest), conn), max(len(rest), answerBuffer))
	_, _ = in.Peek(len(rest)) // so that it counts as read ahead
	return conn, bufio.NewReadWriter(in, bufio.NewWriter(conn)), nil
}

// hijack ends the session but not its connection, and returns what was read ahead.
func (s *Session) hijack(st *Stream) (rest []byte, err error) {
	s.group.mu.Lock()
	if s.err != nil || st.gone || s.readEnded {
		s.group.mu.Unlock()
		return nil, net.ErrClosed
	}
	s.hijacked = make(chan []byte)
	s.err = ErrHijacked
	s.stop()
	close(s.done)
	if s.idleTimer != nil {
		s.idleTimer.Stop()
	}
	st.forget()
	s.wake.Broadcast()
	s.unblocked.Broadcast()
	s.group.mu.Unlock()
	_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // wakes the reader
	rest = <-s.hijacked
	return rest, s.conn.SetReadDeadline(time.Time{})
}

// endReading notes that nobody reads any more, and reports whether a handler has taken over the
// connection.
func (s *Session) endReading() (hijacked bool) {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	s.readEnded = true
	return s.hijacked != nil
}

// handOver gives the handler what was read ahead. From then on the connection is not the
// session's.
func (s *Session) handOver(rest []byte) {
	s.group.Locked(func() { s.handedOver = true })
	s.hijacked <- rest
}

func (s *Session) isHandedOver() bool {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	return s.handedOver
}
