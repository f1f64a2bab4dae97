// Package tunnel has the connections inside CONNECT (RFC 9110 section 9.3.6, and
// RFC 9113 section 8.5 for HTTP/2). It accepts them, passes those to our own routes to
// the server that the CONNECT came to, and copies the bytes of the others to hosts
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

	"avsproxy/internal/netconn"
)

// Accept answers a CONNECT with 200 and returns the connection inside. Over HTTP/1.x
// it is the client's connection, which the caller must close. Over HTTP/2 it is one
// stream, until the handler returns; CloseWrite ends all of it. Accept
// returns when the answer is sent.
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

// hijack uses goproxy to accept the CONNECT and for nothing else: with
// [goproxy.ReqProxyConds.HijackConnect] as its only handler, it does not dial and
// makes no certificates.
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

// A hijacker keeps what net/http has read ahead. goproxy drops it, and a ClientHello
// right after the CONNECT would be lost.
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
	early, _ := buffers.Reader.Peek(buffers.Reader.Buffered()) // cannot fail: it is buffered
	return netconn.Prepend(conn, early), buffers, nil
}
