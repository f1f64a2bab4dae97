package wire

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"

	"golang.org/x/net/http2"

	"avsproxy/internal/netconn"
)

// Listen returns ln with connections for an [http.Server] on which [StreamIDs] and
// [ResetWith] work. Other protocols than HTTP/2 pass as they are.
func Listen(ln net.Listener) net.Listener { return listener{ln} }

type listener struct{ net.Listener }

// Accept implements [net.Listener].
func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	secure, isTLS := conn.(*tls.Conn)
	switch {
	case !isTLS:
		return netconn.Keep(newServer(conn)), nil
	case servesAnyTLS:
		return &secureServer{newServer(conn), secure}, nil
	}
	return conn, nil
}

// A secureServer has the methods of TLS that net/http looks for.
type secureServer struct {
	*server
	tls *tls.Conn
}

// NetConn returns the server.
func (s *secureServer) NetConn() net.Conn { return s.server }

// serverOf returns the server that Accept has wrapped; nil = it has not. It does not
// look further: inside a CONNECT, the server of the connection outside would follow.
func serverOf(conn net.Conn) *server {
	if wrapper, wraps := conn.(netconn.Wrapper); wraps {
		if s, ok := wrapper.NetConn().(*server); ok {
			return s
		}
	}
	s, _ := conn.(*server)
	return s
}

// HandshakeContext does the TLS handshake, which says whether HTTP/2 is spoken.
func (s *secureServer) HandshakeContext(ctx context.Context) error {
	err := s.tls.HandshakeContext(ctx)
	if err == nil && s.tls.ConnectionState().NegotiatedProtocol == "h2" {
		s.protocol.CompareAndSwap(unknown, negotiated)
	}
	return err
}

// ConnectionState is that of TLS.
func (s *secureServer) ConnectionState() tls.ConnectionState { return s.tls.ConnectionState() }

// CloseWrite is that of TLS.
func (s *secureServer) CloseWrite() error { return s.tls.CloseWrite() }

type (
	connKey     struct{}
	streamIDKey struct{}
)

// NewContext is for [http.Server.ConnContext].
func NewContext(ctx context.Context, conn net.Conn) context.Context {
	if s := serverOf(conn); s != nil {
		return context.WithValue(ctx, connKey{}, s)
	}
	return ctx
}

// SpeaksHTTP1 reports whether a connection of [Listen] is known to speak HTTP/1.x, as it
// is when its first request has been read.
func SpeaksHTTP1(conn net.Conn) bool {
	if s := serverOf(conn); s != nil {
		return s.protocol.Load() == other
	}
	if secure, ok := conn.(*tls.Conn); ok {
		state := secure.ConnectionState()
		return state.HandshakeComplete && state.NegotiatedProtocol != "h2"
	}
	return false
}

// StreamIDs is the outermost handler: it takes the number of the stream out of the
// header, before other handlers see it. It ends connections of HTTP/1.x whose next
// request may not be one (RFC 9112 section 6.3).
func StreamIDs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, ok := r.Context().Value(connKey{}).(*server)
		if ok && r.ProtoMajor == 1 && s.requests.endsWithThis() {
			w.Header().Set("Connection", "close")
		}
		if ok && r.ProtoMajor == 2 {
			// In place: a copy of r would miss trailers that were not announced.
			*r = *r.WithContext(context.WithValue(r.Context(), streamIDKey{}, streamID{s, s.takeStreamID(r.Header)}))
		}
		next.ServeHTTP(w, r)
	})
}

func (s *server) takeStreamID(h http.Header) uint32 {
	key := http.CanonicalHeaderKey(s.field)
	values := h[key]
	delete(h, key)
	if len(values) == 0 {
		return 0
	}
	id, _ := strconv.ParseUint(values[len(values)-1], 10, 31) // ours is the last one
	return uint32(id)
}

// A streamID is the number of a stream on a connection.
type streamID struct {
	conn *server
	id   uint32
}

// StreamID is the number of the stream (RFC 9113 section 5.1.1) of a request that went
// through [StreamIDs]; 0 = it came by HTTP/1.x, or on a connection that cannot tell.
func StreamID(ctx context.Context) uint32 {
	return find(ctx).id
}

// find returns the stream on the innermost connection: inside of a CONNECT the stream
// of that one is in the context, too.
func find(ctx context.Context) streamID {
	stream, _ := ctx.Value(streamIDKey{}).(streamID)
	if conn, _ := ctx.Value(connKey{}).(*server); conn != stream.conn {
		return streamID{}
	}
	return stream
}

// ResetWith sets the code with which the stream of a request is reset, if its handler
// ends with [http.ErrAbortHandler]. Without it that is INTERNAL_ERROR.
func ResetWith(ctx context.Context, code http2.ErrCode) {
	if stream := find(ctx); stream.id != 0 {
		stream.conn.setResetCode(stream.id, code)
	}
}
