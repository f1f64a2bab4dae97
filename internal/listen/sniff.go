package listen

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// maxWaiting is far above what clients of one machine leave silent, and cheap (one goroutine and one descriptor each).
	maxWaiting = 256
	// patience is what a connection may be silent, or idle, even when others want its place. It must be longer than a busy
	// machine takes to read a byte that has arrived: a burst of clients that all speak loses none of them.
	patience = 100 * time.Millisecond
	// firstByteWait is used when the caller names none.
	firstByteWait = 10 * time.Second
	// handshake is the content type of the record that starts a TLS connection (RFC 8446, section 5.1). No HTTP method
	// and no HTTP/2 preface starts with it.
	handshake = 0x16
)

// Sniff returns a listener whose connections are told apart by their first byte. 0x16 starts a TLS handshake: Accept
// gives a *tls.Conn with conf, on which net/http does the handshake (conf.NextProtos decides about h2); with a nil
// conf such a connection is closed. Anything else is given as it came, the byte included; it keeps CloseWrite,
// SyscallConn and ReadFrom where the connection has them, and NetConn returns what ln accepted.
//
// The first byte is waited for beside Accept. A connection silent for longer than timeout (0 or less: 10 s) is closed.
// At most 256 connections are between ln and Accept. When there are so many, accepting from ln pauses; but those that
// have been silent for 100 ms make room for new ones, oldest first, so that silence never keeps out one that speaks.
// Errors of ln.Accept are passed on one for one, and the next Accept tries again, until ln is closed.
//
// Nothing is accepted before the first Accept. Close closes ln and every connection not yet handed out.
func Sniff(ln net.Listener, conf *tls.Config, timeout time.Duration) net.Listener {
	return newSniffer(ln, conf, timeout, maxWaiting)
}

func newSniffer(ln net.Listener, conf *tls.Config, timeout time.Duration, limit int) *sniffer {
	if timeout <= 0 {
		timeout = firstByteWait
	}
	return &sniffer{
		Listener: ln,
		conf:     conf,
		timeout:  timeout,
		slots:    make(chan struct{}, limit),
		ready:    make(chan accepted),
		done:     make(chan struct{}),
	}
}

type sniffer struct {
	net.Listener
	conf    *tls.Config
	timeout time.Duration

	waiting waitlist
	slots   chan struct{} // one for each connection between ln.Accept and Accept
	ready   chan accepted
	start   sync.Once
	stop    sync.Once
	done    chan struct{}
}

// accepted is one result of Accept.
type accepted struct {
	conn net.Conn
	err  error
}

func (s *sniffer) Accept() (net.Conn, error) {
	s.start.Do(func() { go s.loop() })
	if s.closed() { // select would choose at random between this and a connection that is ready
		return nil, net.ErrClosed
	}
	select {
	case a := <-s.ready:
		return a.conn, a.err
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *sniffer) closed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *sniffer) Close() error {
	err := net.ErrClosed
	s.stop.Do(func() {
		close(s.done)
		err = s.Listener.Close()
		s.waiting.shut()
	})
	return err
}

// loop accepts until the listener is closed. After an error it asks ln again only once that error was taken by a
// caller of Accept: net/http's pause after a lack of descriptors is thereby kept.
func (s *sniffer) loop() {
	for !s.closed() {
		c, err := s.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			s.Close() // ln may have been closed without us
			return
		case err != nil:
			s.hand(accepted{err: err})
		case !s.acquire():
			c.Close()
		default:
			s.await(c)
		}
	}
}

// acquire takes a slot, if need be that of the connection that has been silent longest; false: closed.
func (s *sniffer) acquire() bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
	}
	again := time.NewTicker(patience)
	defer again.Stop()
	for {
		s.waiting.pushOut(patience)
		select {
		case s.slots <- struct{}{}:
			return true
		case <-s.done:
			return false
		case <-again.C:
		}
	}
}

func (s *sniffer) release() { <-s.slots }

// await lets c wait, with a slot held. The order of waiting is the order of arrival.
func (s *sniffer) await(c net.Conn) {
	w := s.waiting.add(c)
	go func() {
		defer s.release()
		if w == nil || !s.sniff(w) {
			c.Close()
		}
	}()
}

// sniff reads the first byte and hands the connection on; false: it is of no use to anybody.
func (s *sniffer) sniff(w *waiter) bool {
	first, err := firstByte(w.conn, s.timeout)
	if !s.waiting.leave(w) || err != nil {
		return false
	}
	conn := unread(w.conn, first)
	if first == handshake {
		if s.conf == nil {
			return false
		}
		conn = tls.Server(conn, s.conf)
	}
	return s.hand(accepted{conn: conn})
}

func firstByte(c net.Conn, timeout time.Duration) (byte, error) {
	var b [1]byte
	if err := c.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return 0, err
	}
	return b[0], c.SetReadDeadline(time.Time{})
}

// hand waits for a caller of Accept; false: the listener was closed first.
func (s *sniffer) hand(a accepted) bool {
	select {
	case s.ready <- a:
		return true
	case <-s.done:
		return false
	}
}
