package proxy

import (
	"io"
	"net/http"
	"strings"
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
	handler := to.answer.handler
	taken := newSwitched(backend, to.Exchange.Recorder, resp.Header.Get("Sec-Websocket-Extensions"))
	taken.ended = func() { handler.Lasting.remove(taken) }
	handler.Lasting.add(taken)
	to.answer.switched = taken
	handler.noteAnswer(to.Exchange, time.Now(), resp.StatusCode, httpexchange.Fields(resp.Header))
	resp.Body = taken
	return nil
}
