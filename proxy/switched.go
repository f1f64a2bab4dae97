package proxy

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/websocket"
)

// A switched is the upstream's side of a WebSocket. It may be read from when its exchange has
// ended already.
type switched struct {
	io.ReadWriteCloser
	read, wrote atomic.Int64
	ended       func() // called with Close

	down websocket.Scanner // of the upstream; only Read uses it

	going, said atomic.Bool   // the proxy ends; the client was told so, or cannot be
	answered    chan struct{} // gets what the client says then; has room for one

	mu sync.Mutex
	up websocket.Scanner // of the client
}

// maxRecorded is how many bytes of a message are recorded.
const maxRecorded = 16 << 10

func newSwitched(backend io.ReadWriteCloser, recorder exchange.Recorder, extensions string) *switched {
	s := &switched{ReadWriteCloser: backend, answered: make(chan struct{}, 1)}
	if recorder != nil {
		s.up.Most, s.down.Most = maxRecorded, maxRecorded
		s.up.Inflate, s.down.Inflate = websocket.Inflaters(extensions)
		s.up.Deliver = func(m websocket.Message) { recorder.Message(true, m) }
		s.down.Deliver = func(m websocket.Message) { recorder.Message(false, m) }
	}
	return s
}

// CloseWrite passes the end of what the client sends, as net/http's own body does.
func (s *switched) CloseWrite() error {
	if half, ok := s.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close ends the connection to the upstream.
func (s *switched) Close() error {
	s.ended()
	return s.ReadWriteCloser.Close()
}

// Write writes on. It holds mu, so that no frame of ours gets into one of the client's. Where the
// proxy ends, it takes what comes: an error would end the connection before Read has told the client.
func (s *switched) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.going.Load() {
		select {
		case s.answered <- struct{}{}:
		default:
		}
		return len(p), nil
	}
	n, err := s.ReadWriteCloser.Write(p)
	s.wrote.Add(int64(n))
	_, _ = s.up.Write(p[:n]) // takes everything
	if s.going.Load() {
		return len(p), nil
	}
	return n, err
}

// Read reads on. Where the proxy ends, the last bytes are a frame of ours, and the end comes when the client
// has answered that, or does not.
func (s *switched) Read(p []byte) (int, error) {
	n, err := s.ReadWriteCloser.Read(p)
	s.read.Add(int64(n))
	_, _ = s.down.Write(p[:n]) // takes everything
	if err == nil || !s.going.Load() {
		return n, err
	}
	if !s.said.Swap(true) && s.down.Between() {
		return n + copy(p[n:], websocket.GoingAway(false)), nil // p is a copy's buffer, and as good as empty
	}
	select {
	case <-s.answered:
	case <-time.After(patienceAway):
	}
	return n, errGoingAway
}

var errGoingAway = errors.New("the proxy ends")

// patienceAway is how long either side may take to read that the proxy ends.
const patienceAway = 200 * time.Millisecond

// goAway tells the upstream that the client is going away, and has Read tell the client of it.
func (s *switched) goAway() {
	s.going.Store(true)
	timer := time.AfterFunc(patienceAway, func() { s.ReadWriteCloser.Close() }) // also ends a Write that holds mu
	defer timer.Stop()
	s.mu.Lock()
	if s.up.Between() {
		_, _ = s.ReadWriteCloser.Write(websocket.GoingAway(true))
	}
	s.mu.Unlock()
	s.ReadWriteCloser.Close()
}
