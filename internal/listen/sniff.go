package listen

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"avsproxy/internal/netconn"
)

const (
	// maxWaiting is more than the clients of one machine leave silent, and cheap: one goroutine and descriptor each.
	maxWaiting = 256
	// defaultTimeout is how long the first byte may take.
	defaultTimeout = 10 * time.Second
	// handshake is the content type of the record that starts a TLS connection (RFC 8446, section 5.1). No HTTP method
	// and no HTTP/2 preface starts with it.
	handshake = 0x16
)

// Sniff returns a listener that looks at the first byte of each connection. 0x16 starts a TLS handshake: Accept returns
// a *tls.Conn with conf, on which net/http does the handshake (conf.NextProtos decides about h2); with a nil conf such
// a connection is closed. Any other connection is returned as it came, with that byte; it keeps CloseWrite,
// SyscallConn, ReadFrom and SetLinger where it has them (see [netconn.Keep]).
//
// Waiting for a first byte does not block Accept. A connection that is silent for timeout (0 or less: 10 s) is closed.
// At most 256 connections are between ln and Accept. Then ln accepts no more; but a connection that has been silent for
// 100 ms is closed for a new one, oldest first, so that silent clients do not keep others out. Each error of ln.Accept
// is returned once, and the next Accept tries again, until ln is closed.
//
// Sniff accepts nothing before the first Accept. Close closes ln and all connections that Accept has not returned.
func Sniff(ln net.Listener, conf *tls.Config, timeout time.Duration) net.Listener {
	return newSniffer(ln, conf, timeout, maxWaiting)
}

func newSniffer(ln net.Listener, conf *tls.Config, timeout time.Duration, limit int) *sniffer {
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	return &sniffer{Listener: ln, conf: conf, timeout: timeout, places: newPlaces(limit), queue: netconn.NewQueue()}
}

type sniffer struct {
	net.Listener
	conf    *tls.Config
	timeout time.Duration

	places *places // of connections between ln.Accept and Accept
	queue  *netconn.Queue
	start  sync.Once
}

func (s *sniffer) Accept() (net.Conn, error) {
	s.start.Do(func() { go s.loop() })
	return s.queue.Accept()
}

func (s *sniffer) Close() error {
	if err := s.queue.Close(); err != nil {
		return err
	}
	defer s.places.close()
	return s.Listener.Close()
}

// loop accepts until the listener is closed. After an error it waits until Accept has returned that error: so the
// pause of net/http after a lack of descriptors works.
func (s *sniffer) loop() {
	for {
		c, err := s.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			s.Close() // ln itself may have been closed
			return
		case err != nil:
			if !s.queue.Fail(err) {
				return
			}
		case !s.places.acquire(s.queue.Done()):
			c.Close()
			return
		default:
			s.await(c)
		}
	}
}

// await starts to wait for the first byte of c, which has a place. The order of waiting is the order of arrival.
func (s *sniffer) await(c net.Conn) {
	w := &waiter{conn: c}
	waits := s.places.wait(w)
	go func() {
		defer s.places.release()
		if !waits || !s.sniff(w) {
			c.Close()
		}
	}()
}

// sniff reads the first byte and delivers the connection; false: the connection must be closed.
func (s *sniffer) sniff(w *waiter) bool {
	first, err := firstByte(w.conn, s.timeout)
	if !s.places.leave(w) || err != nil {
		return false
	}
	conn := netconn.Prepend(w.conn, []byte{first})
	if first == handshake {
		if s.conf == nil {
			return false
		}
		conn = tls.Server(conn, s.conf)
	}
	return s.queue.Put(conn)
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
