package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"avsproxy/internal/h2"
	"avsproxy/internal/netconn"
)

// A splitter accepts connections, gives those that speak HTTP/2 to its server's sessions,
// and has net/http accept the others.
type splitter struct {
	net.Listener
	server *Server
	http1  *netconn.Queue
	start  sync.Once

	mu      sync.Mutex
	pending map[net.Conn]bool // whose protocol is not known yet; nil = closed
}

func newSplitter(ln net.Listener, server *Server) *splitter {
	return &splitter{Listener: ln, server: server, http1: netconn.NewQueue(), pending: map[net.Conn]bool{}}
}

// Accept implements [net.Listener].
func (l *splitter) Accept() (net.Conn, error) {
	l.start.Do(func() { go l.loop() })
	return l.http1.Accept()
}

// Close implements [net.Listener]. It closes also connections whose protocol is not known
// yet.
func (l *splitter) Close() error {
	if err := l.http1.Close(); err != nil {
		return err
	}
	err := l.Listener.Close()
	l.mu.Lock()
	pending := l.pending
	l.pending = nil
	l.mu.Unlock()
	for conn := range pending {
		conn.Close()
	}
	return err
}

// loop accepts until the listener is closed. net/http pauses after other errors.
func (l *splitter) loop() {
	for {
		conn, err := l.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			l.Close() // the listener itself may have been closed
			return
		case err != nil:
			if !l.http1.Fail(err) {
				return
			}
		case !l.expect(conn):
			conn.Close()
		default:
			go l.split(conn)
		}
	}
}

// expect notes a connection whose protocol is not known; false = the splitter is closed.
func (l *splitter) expect(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending != nil {
		l.pending[conn] = true
	}
	return l.pending != nil
}

// settle notes that the protocol is known; false = the splitter is closed.
func (l *splitter) settle(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, conn)
	return l.pending != nil
}

func (l *splitter) split(conn net.Conn) {
	sniffed, isHTTP2, err := sniffHTTP2(conn)
	open := l.settle(conn)
	if err != nil {
		l.server.ErrorLog.Printf("http: TLS handshake error from %s: %v", conn.RemoteAddr(), err)
	}
	if err != nil || !open {
		conn.Close()
		return
	}
	_, isTLS := conn.(*tls.Conn)
	if isHTTP2 || !l.server.Standard {
		l.server.serveSession(sniffed, isHTTP2, !isTLS)
		return
	}
	l.http1.Put(forHTTP1(sniffed))
}

// sniffHTTP2 finds out whether a connection speaks HTTP/2. In the clear the preface of HTTP/2
// is read then; else sniffed is the connection with all its bytes. The error is one of TLS.
func sniffHTTP2(conn net.Conn) (sniffed net.Conn, isHTTP2 bool, err error) {
	if secure, isTLS := conn.(*tls.Conn); isTLS {
		ctx, cancel := context.WithTimeout(context.Background(), HeaderTimeout)
		defer cancel()
		err := secure.HandshakeContext(ctx)
		return conn, secure.ConnectionState().NegotiatedProtocol == "h2", err
	}
	_ = conn.SetReadDeadline(time.Now().Add(HeaderTimeout))
	defer conn.SetReadDeadline(time.Time{})
	var got [len(h2.Preface)]byte
	have := 0
	for have < len(got) {
		n, err := conn.Read(got[have:])
		have += n
		if string(got[:have]) != h2.Preface[:have] || err != nil {
			return netconn.Prepend(conn, got[:have:have]), false, nil // net/http meets the error again
		}
	}
	return conn, true, nil
}
