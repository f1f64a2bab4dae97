package wire

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"

	"golang.org/x/net/http2"
)

// Listen returns ln with connections for an [http.Server] on which [Numbered] and
// [ResetWith] work. Whatever speaks no HTTP/2 passes as it is.
func Listen(ln net.Listener) net.Listener { return listener{ln} }

type listener struct{ net.Listener }

// Accept implements [net.Listener].
func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wrap(conn), nil
}

// wrap keeps the methods that net/http and others look for.
func wrap(conn net.Conn) net.Conn {
	if secure, ok := conn.(*tls.Conn); ok {
		if !servesAnyTLS {
			return conn
		}
		return &secureServer{newServer(conn), secure}
	}
	below, ok := conn.(stream)
	if !ok {
		return newServer(conn)
	}
	if from, ok := conn.(io.ReaderFrom); ok {
		return tcpServer{streamServer{newServer(conn), below}, from}
	}
	return streamServer{newServer(conn), below}
}

type stream interface {
	CloseWrite() error
	syscall.Conn
}

type (
	streamServer struct {
		*server
		stream
	}
	// tcpServer lets net/http send files by sendfile(2). It does so in HTTP/1.x only,
	// where nothing is to be looked at.
	tcpServer struct {
		streamServer
		io.ReaderFrom
	}
	secureServer struct {
		*server
		tls *tls.Conn
	}
)

// HandshakeContext does the TLS handshake, which says whether HTTP/2 is spoken.
func (s *secureServer) HandshakeContext(ctx context.Context) error {
	err := s.tls.HandshakeContext(ctx)
	if err == nil && s.tls.ConnectionState().NegotiatedProtocol == "h2" {
		s.mode.CompareAndSwap(unknown, negotiated)
	}
	return err
}

// ConnectionState is that of TLS.
func (s *secureServer) ConnectionState() tls.ConnectionState { return s.tls.ConnectionState() }

// CloseWrite is that of TLS.
func (s *secureServer) CloseWrite() error { return s.tls.CloseWrite() }

type (
	connKey   struct{}
	streamKey struct{}
)

// NewContext is for [http.Server.ConnContext].
func NewContext(ctx context.Context, conn net.Conn) context.Context {
	if s, ok := conn.(interface{ wire() *server }); ok {
		return context.WithValue(ctx, connKey{}, s.wire())
	}
	return ctx
}

func (s *server) wire() *server { return s }

// SpeaksHTTP1 reports whether a connection of [Listen] is known to speak HTTP/1.x, as it
// is when its first request has been read.
func SpeaksHTTP1(conn net.Conn) bool {
	switch c := conn.(type) {
	case interface{ wire() *server }:
		return c.wire().mode.Load() == other
	case *tls.Conn:
		state := c.ConnectionState()
		return state.HandshakeComplete && state.NegotiatedProtocol != "h2"
	}
	return false
}

// Numbered is the outermost handler: it takes the number of the stream out of the
// header, before anybody else sees it. Of HTTP/1.x it ends connections whose next
// request may not be one (RFC 9112 section 6.3).
func Numbered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, ok := r.Context().Value(connKey{}).(*server)
		if ok && r.ProtoMajor == 1 && s.requests.endsWithThis() {
			w.Header().Set("Connection", "close")
		}
		if ok && r.ProtoMajor == 2 {
			// In place: a copy of r would miss trailers that nobody announced.
			*r = *r.WithContext(context.WithValue(r.Context(), streamKey{}, number{s, s.takeNumber(r.Header)}))
		}
		next.ServeHTTP(w, r)
	})
}

func (s *server) takeNumber(h http.Header) uint32 {
	key := http.CanonicalHeaderKey(s.field)
	values := h[key]
	delete(h, key)
	if len(values) == 0 {
		return 0
	}
	id, _ := strconv.ParseUint(values[len(values)-1], 10, 31) // ours is the last one
	return uint32(id)
}

// ID is the number of the stream (RFC 9113 section 5.1.1) of a request that went
// through [Numbered]; 0 = it came by HTTP/1.x, or on a connection that cannot tell.
func ID(ctx context.Context) uint32 {
	_, id := find(ctx)
	return id
}

// A number is that of a stream on a connection.
type number struct {
	conn *server
	id   uint32
}

// find goes by the innermost connection: inside of a CONNECT the stream of that one is
// in the context, too.
func find(ctx context.Context) (*server, uint32) {
	conn, _ := ctx.Value(connKey{}).(*server)
	stream, _ := ctx.Value(streamKey{}).(number)
	if conn == nil || stream.conn != conn {
		return nil, 0
	}
	return conn, stream.id
}

// ResetWith says with which code the stream of a request is reset, if its handler
// ends with [http.ErrAbortHandler]. Without it that is INTERNAL_ERROR.
func ResetWith(ctx context.Context, code http2.ErrCode) {
	if conn, id := find(ctx); id != 0 {
		conn.want(id, code)
	}
}
