package h2

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"runtime"
	"sync"
)

// A Bridge answers requests by a handler of net/http, each on a goroutine of its own.
type Bridge struct {
	Handler http.Handler
	// Context returns that of a session's requests; nil = context.Background().
	Context func(*Session) context.Context
	// ErrorLog gets the panics of the handler; nil = log's default.
	ErrorLog *log.Logger

	running sync.WaitGroup
}

// Accept is an [Acceptor].
func (b *Bridge) Accept(st *Stream, h *Head, fin bool) {
	if h.Protocol != "" && !h.isWebSocket() { // RFC 9220 section 3
		st.SetEnd(discard{st})
		st.SendHead([]Field{{Name: ":status", Value: "501"}}, true)
		return
	}
	w, r, err := b.newAnswer(st, h, fin)
	switch {
	case err != nil && h.Proto != "":
		st.s.Leave()
		st.s.config.refuse(st, err)
		return
	case err != nil:
		st.Reset(ProtocolError)
		return
	}
	var writer http.ResponseWriter = w
	if h.Protocol != "" {
		if err := h.handshake(r); err != nil {
			st.Reset(ProtocolError)
			return
		}
		writer = &handshakeAnswer{answer: w}
	}
	b.running.Go(func() { b.serve(w, func() { b.Handler.ServeHTTP(writer, r) }, r) })
}

// newAnswer makes of the head of a stream a request, and what takes its answer.
func (b *Bridge) newAnswer(st *Stream, h *Head, fin bool) (*answer, *http.Request, error) {
	r, err := h.request()
	if err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	if b.Context != nil {
		ctx = b.Context(st.s)
	}
	w := &answer{st: st, body: newBody(st), header: http.Header{}, head: h.Method == http.MethodHead, http1: h.Proto != ""}
	ctx, w.cancel = context.WithCancel(ctx)
	w.drained.L = &st.s.group.mu
	r.RemoteAddr = st.s.conn.RemoteAddr().String()
	if conn, ok := st.s.conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := conn.ConnectionState()
		r.TLS = &state
	}
	if fin {
		w.body.err = io.EOF
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		w.expectBody(r)
	}
	st.addPrice(bridgePrice)
	st.SetEnd(w)
	st.SetSource(w)
	return w, r.WithContext(ctx), nil
}

// answerOf finds the answer of a [Bridge] below a writer, by Unwrap, as [http.ResponseController]
// does; nil = it is none.
func answerOf(w http.ResponseWriter) *answer {
	for {
		switch writer := w.(type) {
		case *answer:
			return writer
		case *handshakeAnswer:
			return writer.answer
		case interface{ Unwrap() http.ResponseWriter }:
			w = writer.Unwrap()
		default:
			return nil
		}
	}
}

// Serves reports whether an answer is one of a [Bridge], whatever its protocol.
func Serves(w http.ResponseWriter) bool { return answerOf(w) != nil }

// StreamID is the number of the stream (RFC 9113 section 5.1.1) of an answer of a [Bridge];
// 0 = the request came by HTTP/1.x.
func StreamID(w http.ResponseWriter) uint32 {
	if a := answerOf(w); a != nil && !a.http1 {
		return a.st.id
	}
	return 0
}

// SetResetCode says with which code the stream of an answer of a [Bridge] is reset, if its
// handler ends with [http.ErrAbortHandler]. Without it that is INTERNAL_ERROR.
func SetResetCode(w http.ResponseWriter, code ErrCode) {
	if a := answerOf(w); a != nil {
		_ = a.locked(func() { a.code = code })
	}
}

// Wait waits for the handlers that run.
func (b *Bridge) Wait() { b.running.Wait() }

// serve calls handle, and ends the answer when that returns.
func (b *Bridge) serve(w *answer, handle func(), r *http.Request) {
	defer w.cancel()
	defer func() {
		broken := recover()
		if broken != nil && broken != http.ErrAbortHandler {
			b.logPanic(r, broken)
		}
		w.finish(broken == nil)
	}()
	handle()
}

func (b *Bridge) logPanic(r *http.Request, broken any) {
	stack := make([]byte, 64<<10)
	stack = stack[:runtime.Stack(stack, false)]
	logf := log.Printf
	if b.ErrorLog != nil {
		logf = b.ErrorLog.Printf
	}
	logf("h2: panic serving %s: %v\n%s", r.RemoteAddr, broken, stack)
}
