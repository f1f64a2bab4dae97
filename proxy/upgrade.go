package proxy

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"avsproxy/internal/httpexchange"
)

// An unaskedError is an answer of 101 that nobody asked for.
type unaskedError struct{}

// Error is the detail of the problem.
func (unaskedError) Error() string { return "it switched to a protocol that was not asked for" }

// Hint says what to do.
func (unaskedError) Hint() string { return "check the upstream in config.toml" }

// opensWebSocket reports whether a request is the handshake of RFC 6455 section
// 4.1, and asks for nothing else.
func opensWebSocket(r *http.Request) bool {
	upgrade := r.Header["Upgrade"]
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoAtLeast(1, 1) && r.ContentLength == 0 &&
		len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket") &&
		httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade")
}

// switchProtocols notes that the connection is taken over, which net/http's writer
// would not tell.
func (to relay) switchProtocols(resp *http.Response) error {
	backend, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || resp.Request.Header.Get("Upgrade") == "" || !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") {
		return unaskedError{}
	}
	taken := &switched{ReadWriteCloser: backend}
	to.answer.switched = taken
	noteAnswer(to.Exchange, time.Now(), resp.StatusCode, httpexchange.Fields(resp.Header), to.answer.decisionHeader)
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
