// Package tunnel holds the connections inside CONNECT (RFC 9110 section 9.3.6, and
// RFC 9113 section 8.5 for HTTP/2): it accepts them, gives those that are for us to
// the very server the CONNECT came to, and carries the bytes of the others to hosts
// that a proxy may dial.
package tunnel

import (
	"bufio"
	"errors"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/elazarl/goproxy"
)

// Accept answers a CONNECT with 200 and returns what flows inside. Over HTTP/1.x
// that is the client's connection, which is the caller's from then on. Over HTTP/2
// it is one stream, good until the handler returns; that its CloseWrite ends it
// whole is net/http's limit. The answer is on its way when Accept returns.
func Accept(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	if r.ProtoMajor >= 2 {
		return acceptStream(w, r)
	}
	conn, err := hijack(w, r)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// hijack lets goproxy accept the CONNECT, and nothing more: the server is the zero
// one, which neither dials nor has a certificate authority, and with
// [goproxy.ReqProxyConds.HijackConnect] as its only handler never gets to do either.
func hijack(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	var accepted net.Conn
	hijacker := &hijacker{ResponseWriter: w}
	server := &goproxy.ProxyHttpServer{Logger: log.New(io.Discard, "", 0)}
	server.OnRequest().HijackConnect(func(_ *http.Request, client net.Conn, _ *goproxy.ProxyCtx) { accepted = client })
	server.ServeHTTP(hijacker, r)
	if accepted == nil {
		return nil, errors.Join(errors.New("the connection could not be taken over"), hijacker.err)
	}
	return accepted, nil
}

// A hijacker keeps what net/http had read ahead: goproxy drops it, and a ClientHello
// that came right behind the CONNECT would be waited for in vain.
type hijacker struct {
	http.ResponseWriter
	err error
}

// Hijack implements [http.Hijacker].
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		h.err = err
		return nil, nil, err
	}
	early, _ := buffers.Reader.Peek(buffers.Reader.Buffered()) // cannot fail: it is there
	return &earlyConn{Conn: conn, early: early}, buffers, nil
}

// An earlyConn gives first what came early.
type earlyConn struct {
	net.Conn
	early []byte
}

// Read implements [net.Conn].
func (c *earlyConn) Read(p []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.early)
	c.early = c.early[n:]
	if len(c.early) == 0 {
		c.early = nil // net/http's buffer
	}
	return n, nil
}

// CloseWrite implements [halfCloser], where the connection below does.
func (c *earlyConn) CloseWrite() error { return closeWrite(c.Conn) }

// NetConn returns the connection below.
func (c *earlyConn) NetConn() net.Conn { return c.Conn }
