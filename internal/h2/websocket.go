package h2

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// handshake makes of an extended CONNECT for a WebSocket (RFC 8441 section 5) the handshake of
// HTTP/1.1 that means the same (RFC 6455 section 4.1). Handlers know only that one.
func (h *Head) handshake(r *http.Request) error {
	target, err := url.ParseRequestURI(h.Path)
	if err != nil {
		return malformed(":path")
	}
	var key [16]byte
	rand.Read(key[:])
	r.Method, r.URL, r.RequestURI = http.MethodGet, target, h.Path
	r.ProtoMajor, r.ProtoMinor, r.ContentLength, r.Body = 1, 1, 0, http.NoBody
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", h.Protocol)
	r.Header.Set("Sec-Websocket-Key", base64.StdEncoding.EncodeToString(key[:]))
	return nil
}

// A handshakeAnswer is the answer to such a handshake, whose connection the handler may take
// over.
type handshakeAnswer struct {
	*answer
	taken *handshakeConn // nil = it did not
}

// WriteHeader does not let an answer pass for an open WebSocket that is none: any 2xx means
// that here.
func (w *handshakeAnswer) WriteHeader(status int) {
	if status >= 200 && status < 300 && w.taken == nil {
		status = http.StatusNotImplemented
	}
	w.answer.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *handshakeAnswer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.answer.Write(p)
}

// Hijack implements [http.Hijacker].
func (w *handshakeAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.taken != nil {
		return nil, nil, http.ErrHijacked
	}
	w.taken, w.answer.taken = &handshakeConn{answer: w}, true
	return w.taken, bufio.NewReadWriter(bufio.NewReader(w.taken), bufio.NewWriter(w.taken)), nil
}

// A handshakeConn is the stream as the connection of HTTP/1.1 that the handler has taken over.
// What is written begins with the answer to the handshake.
type handshakeConn struct {
	answer *handshakeAnswer
	head   []byte // of the answer, so far
	headed bool
}

// Read implements [net.Conn].
func (c *handshakeConn) Read(p []byte) (int, error) { return c.answer.body.Read(p) }

// Write implements [net.Conn].
func (c *handshakeConn) Write(p []byte) (int, error) {
	rest := p
	if !c.headed {
		var err error
		if rest, err = c.writeHead(p); err != nil {
			return 0, err
		}
	}
	if len(rest) > 0 {
		if _, err := c.answer.answer.Write(rest); err != nil {
			return 0, err
		}
	}
	if !c.headed {
		return len(p), nil
	}
	return len(p), c.answer.FlushError()
}

// writeHead takes the head of the answer, and returns what stands behind it.
func (c *handshakeConn) writeHead(p []byte) (rest []byte, err error) {
	c.head = append(c.head, p...)
	end := bytes.Index(c.head, []byte("\r\n\r\n"))
	if end < 0 {
		if len(c.head) > defaultHeader {
			return nil, ErrHeaderTooLarge
		}
		return nil, nil
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(c.head[:end+4])), nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("h2: an answer of %d on a connection that was taken over", resp.StatusCode)
	}
	header := c.answer.Header()
	clear(header)
	for name, values := range resp.Header {
		if name != "Connection" && name != "Upgrade" && name != "Sec-Websocket-Accept" {
			header[name] = values
		}
	}
	c.headed = true
	c.answer.WriteHeader(http.StatusOK)
	return c.head[end+4:], nil
}

// CloseWrite ends what is sent.
func (c *handshakeConn) CloseWrite() error {
	return c.answer.locked(func() { c.answer.st.SendData(nil, true) })
}

// Close ends the stream: in good order, if what is sent has ended, or nothing is on its way.
func (c *handshakeConn) Close() error {
	_ = c.answer.locked(c.answer.endTaken)
	return nil
}

// LocalAddr implements [net.Conn].
func (c *handshakeConn) LocalAddr() net.Addr { return c.answer.st.s.conn.LocalAddr() }

// RemoteAddr implements [net.Conn].
func (c *handshakeConn) RemoteAddr() net.Addr { return c.answer.st.s.conn.RemoteAddr() }

// SetDeadline implements [net.Conn].
func (c *handshakeConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements [net.Conn].
func (c *handshakeConn) SetReadDeadline(t time.Time) error { return c.answer.SetReadDeadline(t) }

// SetWriteDeadline implements [net.Conn].
func (c *handshakeConn) SetWriteDeadline(t time.Time) error { return c.answer.SetWriteDeadline(t) }

// isWebSocket reports whether a head is the handshake of RFC 8441.
func (h *Head) isWebSocket() bool { return strings.EqualFold(h.Protocol, "websocket") }
