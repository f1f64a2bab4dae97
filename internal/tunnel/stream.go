package tunnel

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// A stream is the inside of a CONNECT over HTTP/2, as a connection. A deadline in the
// past ends reads or writes for ever; one in the future limits the whole stream.
type stream struct {
	*http.ResponseController // has SetReadDeadline and SetWriteDeadline
	w                        http.ResponseWriter
	body                     io.ReadCloser
	local, remote            net.Addr
	ended                    atomic.Bool // by CloseWrite
}

func acceptStream(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	s := &stream{w: w, body: r.Body, ResponseController: http.NewResponseController(w), remote: textAddr{"unix", r.RemoteAddr}}
	s.local, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		s.remote = net.TCPAddrFromAddrPort(addr)
	}
	w.WriteHeader(http.StatusOK)
	return s, s.Flush()
}

// Read implements [net.Conn].
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if err != nil && s.ended.Load() {
		err = io.EOF // we ended reading; it is not a failure
	}
	return n, err
}

// Write implements [net.Conn].
func (s *stream) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, s.Flush()
}

// CloseWrite ends reading too: END_STREAM goes out when the handler returns.
func (s *stream) CloseWrite() error {
	s.ended.Store(true)
	return s.SetReadDeadline(past())
}

// Close implements [net.Conn]. It resets the stream if CloseWrite did not end it.
func (s *stream) Close() error {
	if s.ended.Load() {
		return nil
	}
	err := s.SetWriteDeadline(past()) // the stream is reset when the handler returns
	return errors.Join(err, s.SetReadDeadline(past()))
}

func past() time.Time { return time.Unix(1, 0) }

// LocalAddr implements [net.Conn].
func (s *stream) LocalAddr() net.Addr { return s.local }

// RemoteAddr implements [net.Conn].
func (s *stream) RemoteAddr() net.Addr { return s.remote }

// SetDeadline implements [net.Conn].
func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// A textAddr is an address without IP address and port.
type textAddr struct{ network, text string }

// Network implements [net.Addr].
func (a textAddr) Network() string { return a.network }

// String implements [net.Addr].
func (a textAddr) String() string { return a.text }
