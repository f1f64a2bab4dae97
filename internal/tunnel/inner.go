package tunnel

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"

	"avsproxy/internal/exchange"
	"avsproxy/internal/netconn"
)

// A ConnQueue is a [net.Listener] for the connections inside CONNECTs.
type ConnQueue struct{ *netconn.Queue }

// NewConnQueue returns an empty queue.
func NewConnQueue() *ConnQueue { return &ConnQueue{netconn.NewQueue()} }

// Addr implements [net.Listener]. The connections have their own addresses.
func (q *ConnQueue) Addr() net.Addr { return textAddr{"connect", "inside CONNECT"} }

// Intercept accepts CONNECTs that have passed the gate, and puts the connection
// inside into the queue, bound to the CONNECT's target. Over HTTP/2 that is one connection
// more: place counts it; where it has none, the result is false and nothing was written.
func Intercept(queue *ConnQueue, place func(net.Conn) (_ net.Conn, ok bool)) func(http.ResponseWriter, *http.Request, *exchange.Exchange) bool {
	return func(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) bool {
		if r.ProtoMajor < 2 {
			client := accept(w, r)
			queue.Put(inside(client, client, x))
			return true
		}
		// Servers change the deadlines of their connections. A stream does not allow that;
		// a pipe does.
		ours, theirs := net.Pipe()
		counted, ok := place(theirs)
		if !ok {
			return false
		}
		defer counted.Close()
		client := accept(w, r)
		queue.Put(inside(client, counted, x))
		relay(client, pipeEnd{ours})
		return true
	}
}

func accept(w http.ResponseWriter, r *http.Request) net.Conn {
	client, err := Accept(w, r)
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	return client
}

// inside is the connection inside the CONNECT x, with the addresses of the client and the
// bytes of conn.
func inside(client, conn net.Conn, x *exchange.Exchange) *innerConn {
	target, _ := x.Conn.Authority(x.Head) // a CONNECT without one was not admitted
	return &innerConn{
		Conn: conn, known: exchange.Conn{Peer: x.Conn.Peer, Tunnel: &target},
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
	known         exchange.Conn // by the CONNECT
	local, remote net.Addr
}

// LocalAddr is the address that the CONNECT came to.
func (c *innerConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the address of the CONNECT's client.
func (c *innerConn) RemoteAddr() net.Addr { return c.remote }

// NetConn returns the connection that has the bytes.
func (c *innerConn) NetConn() net.Conn { return c.Conn }

// Inside returns what is known of a connection by the CONNECT that it is inside; false = it
// is inside none.
func Inside(conn net.Conn) (known exchange.Conn, ok bool) {
	inner, ok := netconn.As[*innerConn](conn)
	if !ok {
		return exchange.Conn{}, false
	}
	return inner.known, true
}

// ByTarget returns a configuration that uses the CONNECT's target where a client sends
// no server name (RFC 6066 section 3), as old ones do.
func ByTarget(conf *tls.Config) *tls.Config {
	conf = conf.Clone()
	byName := conf.GetCertificate
	conf.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if inner, ok := netconn.As[*innerConn](hello.Conn); ok && hello.ServerName == "" {
			named := *hello
			named.ServerName = inner.known.Tunnel.Host
			hello = &named
		}
		return byName(hello)
	}
	return conf
}
