package tunnel

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/netconn"
)

// A ConnQueue is a [net.Listener] for the connections inside CONNECTs.
type ConnQueue struct{ *netconn.Queue }

// NewConnQueue returns an empty queue.
func NewConnQueue() *ConnQueue { return &ConnQueue{netconn.NewQueue()} }

// Addr implements [net.Listener]. The connections have their own addresses.
func (q *ConnQueue) Addr() net.Addr { return textAddr{"connect", "inside CONNECT"} }

// Intercept accepts CONNECTs that have passed the gate, and puts the connection
// inside into the queue, bound to the CONNECT's target (see [httpexchange.WithTunnelTarget]). Over HTTP/2
// that is one connection more: place counts it, or full answers.
func Intercept(queue *ConnQueue, place func(net.Conn) (_ net.Conn, ok bool), full http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, ok := httpexchange.Authority(r)
		if !ok {
			panic("tunnel: a CONNECT without a target passed the gate")
		}
		if r.ProtoMajor < 2 {
			client := accept(w, r)
			queue.Put(inside(client, client, r, target))
			return
		}
		// net/http changes the deadlines of its connections. A stream does not allow that;
		// a pipe does.
		ours, theirs := net.Pipe()
		counted, ok := place(theirs)
		if !ok {
			full.ServeHTTP(w, r)
			return
		}
		defer counted.Close()
		client := accept(w, r)
		queue.Put(inside(client, counted, r, target))
		relay(client, pipeEnd{ours})
	})
}

func accept(w http.ResponseWriter, r *http.Request) net.Conn {
	client, err := Accept(w, r)
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	return client
}

// inside is the connection inside r, with the addresses of the client and the bytes
// of conn.
func inside(client, conn net.Conn, r *http.Request, target exchange.Authority) *innerConn {
	return &innerConn{
		Conn: conn, target: target, outer: httpexchange.WithTunnelTarget(context.WithoutCancel(r.Context()), target),
		local: client.LocalAddr(), remote: client.RemoteAddr(),
	}
}

// A pipeEnd is our end of a pipe. A pipe has no CloseWrite: the end of what the client
// sends closes it, which is no failure of the other direction.
type pipeEnd struct{ net.Conn }

// Read implements [net.Conn].
func (c pipeEnd) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.ErrClosedPipe {
		err = io.EOF
	}
	return n, err
}

// An innerConn is a connection inside a CONNECT.
type innerConn struct {
	net.Conn
	target        exchange.Authority
	outer         context.Context // of the CONNECT
	local, remote net.Addr
}

// LocalAddr is the address that the CONNECT came to.
func (c *innerConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the address of the CONNECT's client.
func (c *innerConn) RemoteAddr() net.Addr { return c.remote }

// NetConn returns the connection that has the bytes.
func (c *innerConn) NetConn() net.Conn { return c.Conn }

// ConnContext is for [http.Server.ConnContext]: if conn is inside a CONNECT, it adds the
// values of the CONNECT's context to ctx.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	if inner, ok := netconn.As[*innerConn](conn); ok {
		return innerContext{ctx, inner.outer}
	}
	return ctx
}

// innerContext ends with the first context and has the values of both.
type innerContext struct {
	context.Context
	outer context.Context
}

// Value implements [context.Context].
func (c innerContext) Value(key any) any {
	if value := c.Context.Value(key); value != nil {
		return value
	}
	return c.outer.Value(key)
}

// ByTarget returns a configuration that uses the CONNECT's target where a client sends
// no server name (RFC 6066 section 3), as old ones do.
func ByTarget(conf *tls.Config) *tls.Config {
	conf = conf.Clone()
	byName := conf.GetCertificate
	conf.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if inner, ok := netconn.As[*innerConn](hello.Conn); ok && hello.ServerName == "" {
			named := *hello
			named.ServerName = inner.target.Host
			hello = &named
		}
		return byName(hello)
	}
	return conf
}
