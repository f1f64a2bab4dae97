package upstream

import (
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"avsproxy/internal/exchange"
)

// noteConn notes that a request is given to a connection, after it waited.
func noteConn(x *exchange.Exchange, address string, conn *upstreamConn, reused bool, waited time.Duration) {
	noteSent(x, address, conn, reused, waited, sentOn{})
}

// A sentOn is the stream of HTTP/2 that a request is sent on.
type sentOn struct {
	stream uint32
	proto  string
}

func noteSent(x *exchange.Exchange, address string, conn *upstreamConn, reused bool, waited time.Duration, on sentOn) {
	to := exchange.ConnInfo{Address: address, TLS: strings.HasPrefix(address, "https:"), Reused: reused, Stream: on.stream, Proto: on.proto}
	var handshake time.Duration
	if conn != nil {
		to.Conn, handshake = conn.number, conn.handshake
	}
	x.Note(func(f *exchange.Facts) {
		f.Upstream = to
		f.Tries++
		f.Connect += waited
		if !reused { // else it is not what the request waited for
			f.TLS += min(handshake, waited)
		}
	})
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// WithConnTrace is for requests whose connections net/http chooses: it tells which.
func WithConnTrace(x *exchange.Exchange, req *http.Request) *http.Request {
	began := time.Now()
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { began = time.Now() }, // again where a connection turns out to be dead
		GotConn: func(info httptrace.GotConnInfo) {
			noteConn(x, originOf(req.URL), upstreamConnOf(info.Conn), info.Reused, time.Since(began))
		},
	}))
}

// upstreamConnOf is an upstream's connection, whatever is around it; nil = it is none.
func upstreamConnOf(conn net.Conn) *upstreamConn {
	for {
		switch c := conn.(type) {
		case *upstreamConn:
			return c
		case *eofConn:
			conn = c.Conn
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
