package httpserver

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"avsproxy/internal/listen"
	"avsproxy/internal/problem"
)

// maxLinger bounds the bytes that are read after an early response; lingerTime bounds
// the time.
const maxLinger = 16 << 20

// connState is for [http.Server.ConnState]. A connection without a request makes room
// for others. One with a request has HeaderTimeout until a handler begins: an Expect that
// net/http does not know it answers alone, and reads the body behind that. Sessions of
// HTTP/2 do not come here.
func (s *Server) connState(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.Group.Hold(connPrice)
	case http.StateClosed, http.StateHijacked:
		s.Group.Hold(-connPrice)
	case http.StateIdle:
		listen.SetIdle(conn, true)
	case http.StateActive:
		listen.SetIdle(conn, false)
		_ = conn.SetReadDeadline(time.Now().Add(HeaderTimeout))
	}
}

// connPrice is what a connection of HTTP/1.x takes: a goroutine, and net/http's buffers.
const connPrice = 24 << 10

// answerEarly sends our own responses to HTTP/1.x requests before their body has come.
// Left to itself net/http reads up to 256 KiB of the body before it lets such an
// answer out, or behind it, however long that takes. These answers go out at once,
// and their connection is closed soon behind them. What an upstream answers early
// leaves its client the time that it takes.
func answerEarly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			next.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Time{}) // that of connState
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		if r.Trailer == nil && r.ContentLength < 0 {
			r.Trailer = http.Header{} // net/http puts unannounced trailers here; a copy of r shares the map
		}
		answer := &earlyAnswer{ResponseWriter: w, control: control, body: &trackedBody{ReadCloser: r.Body}, expected: r.Header.Get("Expect") != ""}
		r = r.WithContext(r.Context()) // the server goes by what the body of its own is
		r.Body = answer.body
		returned := false
		defer func() { answer.end(returned) }() // also when next panics with http.ErrAbortHandler
		next.ServeHTTP(answer, r)
		returned = true
	})
}

// OwnAnswers marks all responses of next as our own. Those of the proxy are its problems alone,
// and what says "Connection: close": that of an upstream is never passed on.
func OwnAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer, ok := w.(*earlyAnswer); ok {
			answer.ours = true
		}
		next.ServeHTTP(w, r)
	})
}

// A trackedBody knows whether a body has ended and whether a read waits for more. One
// goroutine reads at a time: the upstream's transport may still be reading.
type trackedBody struct {
	io.ReadCloser
	mu      sync.Mutex
	ended   atomic.Bool
	reading atomic.Int32
}

// Read implements [io.Reader].
func (b *trackedBody) Read(p []byte) (int, error) {
	b.reading.Add(1)
	defer b.reading.Add(-1)
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.ended.Store(true)
	}
	return n, err
}

// An earlyAnswer writes the answer to a request that has a body.
type earlyAnswer struct {
	http.ResponseWriter
	control  *http.ResponseController
	body     *trackedBody
	expected bool // the client may have waited for a 100
	ours     bool
	begun    bool
	early    bool // our own response, sent before the body's end
	taken    bool // the connection is no longer the server's
}

// Unwrap is for [http.ResponseController].
func (w *earlyAnswer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader says in early answers that the connection will be closed, which also keeps
// net/http from reading first.
func (w *earlyAnswer) WriteHeader(status int) {
	if (status >= 200 || status == http.StatusSwitchingProtocols) && !w.begun {
		w.begin()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *earlyAnswer) begin() {
	w.begun = true
	h := w.Header()
	closes := h.Get("Connection") == "close"
	if w.body.ended.Load() || !(w.ours || closes || h.Get(problem.Header) != "") {
		return
	}
	w.early = true
	h.Set("Connection", "close")
	if w.expected && w.body.reading.Load() > 0 {
		_ = w.control.SetReadDeadline(past()) // net/http looks at such a body before it writes, and would wait for who reads it
	}
}

// Write implements [io.Writer].
func (w *earlyAnswer) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Hijack is what [http.ResponseController] calls.
func (w *earlyAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := w.control.Hijack()
	w.taken = w.taken || err == nil
	return conn, buffers, err
}

// end bounds what net/http reads of the body behind the answer. Where the handler did not
// return, the connection is to be cut, and nothing is read.
func (w *earlyAnswer) end(returned bool) {
	switch {
	case w.taken:
	case !returned:
		_ = w.control.SetReadDeadline(past())
	case w.early:
		w.linger()
	}
}

// linger reads on for a while: clients that are still sending would lose the answer
// over a reset. An answer of unknown length ends with its handler, and net/http alone
// reads behind it, up to 256 KiB.
func (w *earlyAnswer) linger() {
	if w.control.SetReadDeadline(time.Now().Add(LingerTime)) == nil && w.Header().Get("Content-Length") != "" && w.control.Flush() == nil {
		_, _ = io.CopyN(io.Discard, w.body, maxLinger) // ends with the body, or in time
	}
}

func past() time.Time { return time.Unix(1, 0) }
