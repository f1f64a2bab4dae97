// Package httpserver serves HTTP/1.x and HTTP/2 on local ports, within bounds.
package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"avsproxy/internal/httpexchange"
	"avsproxy/internal/listen"
	"avsproxy/internal/peer"
	"avsproxy/internal/tunnel"
	"avsproxy/internal/wire"
)

// Bounds of every server here. There is none on writing and none on a whole
// request: streams may last for days.
const (
	firstByteTimeout = 10 * time.Second
	HeaderTimeout    = 10 * time.Second
	idleTimeout      = 2 * time.Minute
	maxHeader        = 64 << 10
	maxStreams       = 250 // per connection
)

// DiscardLog drops what net/http logs.
func DiscardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// New answers HTTP/1.x and HTTP/2, in the clear and over TLS.
func New(handler http.Handler, errorLog *log.Logger) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: wire.StreamIDs(drainUpload(answerEarly(handler))),
		// "OPTIONS *" is for the guard to judge too.
		DisableGeneralOptionsHandler: true,
		Protocols:                    &protocols,
		ReadHeaderTimeout:            HeaderTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeader,
		HTTP2:                        bodyBuffers(),
		ConnContext:                  connContext(&atomic.Uint64{}),
		ConnState:                    connState,
		ErrorLog:                     errorLog,
	}
}

// NewPages is [New] for a handler that relays nothing: all responses are our own.
func NewPages(handler http.Handler, errorLog *log.Logger) *http.Server {
	return New(OwnAnswers(handler), errorLog)
}

// LingerTime bounds the wait for an upload whose answer was given early.
const LingerTime = 2 * time.Second

// connContext notes what is known of a connection: its number, and inside a CONNECT what that
// one established, else who made it. At once, since a peer that has closed can no
// longer be told from others.
func connContext(count *atomic.Uint64) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, conn net.Conn) context.Context {
		known, inside := tunnel.Inside(conn)
		if !inside {
			known.Peer = peer.Of(conn)
		}
		known.Number = count.Add(1)
		return httpexchange.WithConn(wire.NewContext(ctx, conn), &known)
	}
}

// drainUpload reads on, for a while, in HTTP/2 uploads that were answered before
// their end. net/http would reset such a stream at once, and clients that are still
// sending (curl 7 in the clear is one) then lose the answer over the reset. Those of
// gRPC do not, and wait for the end of the answer, whose head may be all of it.
func drainUpload(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor < 2 || r.Method == http.MethodConnect || r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		body := &trackedBody{ReadCloser: r.Body}
		r = r.WithContext(r.Context()) // the server goes by what the body of its own is
		r.Body = body
		next.ServeHTTP(w, r)
		if body.ended.Load() || strings.HasPrefix(w.Header().Get("Content-Type"), "application/grpc") {
			return
		}
		control := http.NewResponseController(w)
		if control.Flush() == nil && control.SetReadDeadline(time.Now().Add(LingerTime)) == nil {
			io.Copy(io.Discard, body) // ends with the upload, or in time
		}
	})
}

// Serve serves listeners that speak TLS and clear text by the first bytes.
func Serve(server *http.Server, lns []net.Listener, conf *tls.Config) <-chan error {
	ended := make(chan error, len(lns))
	for _, ln := range lns {
		go func() {
			err := server.Serve(wire.Listen(listen.Sniff(ln, conf, firstByteTimeout)))
			if !errors.Is(err, http.ErrServerClosed) {
				ended <- err
			}
		}()
	}
	return ended
}
