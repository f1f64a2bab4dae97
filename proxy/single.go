package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
)

// errNotHTTP2 is what a singleConn answers where the upstream does not speak
// HTTP/2; the request was not sent.
var errNotHTTP2 = errors.New("the upstream does not speak HTTP/2")

var errClosed = errors.New("the proxy is closing")

// sendTries bounds how often one request is offered to a fresh connection.
const sendTries = 3

// A singleConn keeps to one HTTP/2 connection: requests that find it missing
// share one dial; requests beyond the upstream's stream limit wait for a stream,
// never for another connection. When the upstream says GOAWAY (RFC 9113 section
// 6.8) new requests go to a successor while old streams finish on their own.
type singleConn struct {
	dial func() (*http.ClientConn, error)

	mu      sync.Mutex
	conn    *http.ClientConn // nil = none yet, or the last one takes no more
	dialing *dialing         // nil = no dial under way
	retired []*http.ClientConn
	closed  bool
}

// A dialing is shared by all that wait for it. Its result is fixed once done is
// closed: a connection that died at once must fail its requests, not be dialed
// for ever.
type dialing struct {
	done chan struct{}
	conn *http.ClientConn
	err  error
}

func (s *singleConn) RoundTrip(req *http.Request) (*http.Response, error) {
	body := &guardedBody{ReadCloser: req.Body}
	if req.Body != nil && req.Body != http.NoBody {
		guarded := *req
		guarded.Body = body
		req = &guarded
	}
	for try := 1; ; try++ {
		conn, err := s.get(req.Context())
		if err == errNotHTTP2 {
			return nil, err // the caller sends the request, body and all, in another way
		}
		if err != nil {
			body.release(true)
			return nil, err
		}
		resp, err := conn.RoundTrip(req)
		if err == nil {
			body.release(false)
			return resp, nil
		}
		if conn.Err() != nil || takesNoMore(err) {
			s.retire(conn)
		}
		if !neverSent(err) || body.touched() || req.Context().Err() != nil || try == sendTries {
			body.release(true)
			return nil, err
		}
	}
}

// get returns the present connection, or waits for the one dial that all share.
func (s *singleConn) get(ctx context.Context) (*http.ClientConn, error) {
	conn, dialing, err := s.present()
	if conn != nil || err != nil {
		return conn, err
	}
	select {
	case <-dialing.done:
		return dialing.conn, dialing.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *singleConn) present() (*http.ClientConn, *dialing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, errClosed
	}
	if s.conn != nil && s.conn.Err() == nil {
		return s.conn, nil, nil
	}
	if s.dialing == nil {
		s.dialing = &dialing{done: make(chan struct{})}
		go s.connect(s.dialing)
	}
	return nil, s.dialing, nil
}

// connect belongs to no request: the one that started it may hang up while
// others wait.
func (s *singleConn) connect(d *dialing) {
	d.conn, d.err = s.dial()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && d.conn != nil {
		d.conn.Close()
	}
	s.conn, s.dialing = d.conn, nil
	close(d.done)
}

// retire makes way for a successor. Streams on the old connection go on; it is
// remembered only so that close can end them.
func (s *singleConn) retire(conn *http.ClientConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != conn {
		return
	}
	s.conn = nil
	open := s.retired[:0]
	for _, old := range append(s.retired, conn) {
		if old.Err() == nil {
			open = append(open, old)
		}
	}
	s.retired = open
}

func (s *singleConn) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, conn := range append(s.retired, s.conn) {
		if conn != nil {
			conn.Close()
		}
	}
}

// takesNoMore reports whether err says that the connection accepts no further
// request, and that this one was not processed: the connection had ended or was
// about to, or GOAWAY named an earlier stream as the last (RFC 9113 section 6.8).
// net/http exports no values for these.
func takesNoMore(err error) bool {
	switch err.Error() {
	case "http2: client conn not usable",
		"http2: Transport received Server's graceful shutdown GOAWAY":
		return true
	}
	return false
}

// neverSent reports whether err says that the upstream did not and will not
// process the request. Besides [takesNoMore] it may have refused the stream (RFC
// 9113 section 8.7), as it does with those beyond its limit that left before its
// SETTINGS arrived; the connection is as good as before.
func neverSent(err error) bool {
	var stream http2.StreamError
	return takesNoMore(err) || (errors.As(err, &stream) && stream.Code == http2.ErrCodeRefusedStream)
}

// A guardedBody keeps a failed attempt from closing a body that the next attempt
// may still send, and knows whether any of it was read.
type guardedBody struct {
	io.ReadCloser
	read   atomic.Bool
	shut   atomic.Bool // a transport asked for Close
	passed atomic.Bool // Close goes through from now on
}

func (b *guardedBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.ReadCloser.Read(p)
}

func (b *guardedBody) Close() error {
	b.shut.Store(true)
	if b.passed.Load() {
		return b.ReadCloser.Close()
	}
	return nil
}

func (b *guardedBody) touched() bool { return b.read.Load() }

// release lets Close through: one that was asked for already, or now if over.
func (b *guardedBody) release(over bool) {
	b.passed.Store(true)
	if b.ReadCloser != nil && (over || b.shut.Load()) {
		b.ReadCloser.Close()
	}
}
