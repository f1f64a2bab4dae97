package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"
)

var errUnasked = errors.New("the upstream switched to a protocol that nobody asked for")

// opensWebSocket reports whether a request is the handshake of RFC 6455 section
// 4.1, and asks for nothing else.
func opensWebSocket(r *http.Request) bool {
	upgrade := r.Header["Upgrade"]
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoAtLeast(1, 1) && r.ContentLength == 0 &&
		len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket") &&
		httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade")
}

// newUpgrading makes the transport for requests that change the protocol, which
// only HTTP/1.1 can: for them ALPN offers nothing else, and they take none of the
// other requests' connections.
func (u *Upstream) newUpgrading() *http.Transport {
	conf := u.tls.Clone()
	conf.NextProtos = []string{"http/1.1"}
	t := u.newTransport()
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := u.dialTLS(ctx, network, addr, conf)
		if err != nil {
			return nil, err
		}
		return detectTruncation(conn), nil
	}
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}

// switchProtocols notes that the connection is taken over, which net/http's writer
// would not tell.
func (to relay) switchProtocols(resp *http.Response) error {
	backend, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || resp.Request.Header.Get("Upgrade") == "" || !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") {
		return errUnasked
	}
	taken := &switched{ReadWriteCloser: backend}
	to.answer.switched = taken
	to.answer.noteHead(resp.StatusCode, resp.Header)
	resp.Body = taken
	return nil
}

// A switched is the upstream's side of a connection that was taken over. It may be
// read from when its exchange has ended already.
type switched struct {
	io.ReadWriteCloser
	read, wrote atomic.Int64
}

// CloseWrite passes the end of what the client sends, as net/http's own body does.
func (s *switched) CloseWrite() error {
	if half, ok := s.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Write writes on.
func (s *switched) Write(p []byte) (int, error) {
	n, err := s.ReadWriteCloser.Write(p)
	s.wrote.Add(int64(n))
	return n, err
}

// Read reads on.
func (s *switched) Read(p []byte) (int, error) {
	n, err := s.ReadWriteCloser.Read(p)
	s.read.Add(int64(n))
	return n, err
}
