package tunnel

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
)

// Intercept accepts the CONNECTs it gets, which must have passed the guard, and puts
// what is inside into the inbox, bound to the CONNECT's target (see [httpexchange.WithTunnelTarget]). One
// over HTTP/2 is a connection more: place counts it, and where it does not, full answers.
func Intercept(inbox *Inbox, place func(net.Conn) (_ net.Conn, ok bool), full http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, ok := httpexchange.Authority(r)
		if !ok {
			panic("tunnel: a CONNECT without a target passed the guard")
		}
		if r.ProtoMajor < 2 {
			client := accept(w, r)
			inbox.put(inside(client, client, r, target))
			return
		}
		// net/http moves the deadlines of its connections about, and a stream has none
		// that can be moved; a pipe has.
		ours, theirs := net.Pipe()
		counted, ok := place(theirs)
		if !ok {
			full.ServeHTTP(w, r)
			return
		}
		defer counted.Close() // at the latest
		client := accept(w, r)
		inbox.put(inside(client, counted, r, target))
		relay(client, bridge{ours})
	})
}

func accept(w http.ResponseWriter, r *http.Request) net.Conn {
	client, err := Accept(w, r)
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	return client
}

// inside is the connection inside of r, with the addresses of the client and the bytes
// of conn.
func inside(client, conn net.Conn, r *http.Request, target exchange.Authority) *innerConn {
	return &innerConn{
		Conn: conn, target: target, outer: httpexchange.WithTunnelTarget(context.WithoutCancel(r.Context()), target),
		local: client.LocalAddr(), remote: client.RemoteAddr(),
	}
}

// A bridge is our end of a pipe, which cannot be closed by halves: the end of what
// the client sends closes it, and that is no failure of the other way.
type bridge struct{ net.Conn }

// Read implements [net.Conn].
func (b bridge) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
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

// LocalAddr tells where the CONNECT came in.
func (c *innerConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr tells who sent the CONNECT.
func (c *innerConn) RemoteAddr() net.Addr { return c.remote }

// NetConn returns the connection below.
func (c *innerConn) NetConn() net.Conn { return c.Conn }

// Inherit is for [http.Server.ConnContext]: it adds to ctx the values of the CONNECT
// that conn is inside of, if it is inside of one, whatever is wrapped around it.
func Inherit(ctx context.Context, conn net.Conn) context.Context {
	if inner := find(conn); inner != nil {
		return inherited{ctx, inner.outer}
	}
	return ctx
}

func find(conn net.Conn) *innerConn {
	for {
		switch c := conn.(type) {
		case *innerConn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

// inherited ends as the first context does, and has the values of both.
type inherited struct {
	context.Context
	outer context.Context
}

// Value implements [context.Context].
func (c inherited) Value(key any) any {
	if value := c.Context.Value(key); value != nil {
		return value
	}
	return c.outer.Value(key)
}

// ByTarget returns a configuration that takes the CONNECT's target for the name that
// a client does not send (RFC 6066 section 3): old ones send none.
func ByTarget(conf *tls.Config) *tls.Config {
	conf = conf.Clone()
	byName := conf.GetCertificate
	conf.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if inner := find(hello.Conn); inner != nil && hello.ServerName == "" {
			named := *hello
			named.ServerName = inner.target.Host
			hello = &named
		}
		return byName(hello)
	}
	return conf
}
