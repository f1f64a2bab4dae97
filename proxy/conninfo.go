package proxy

import (
	"net"
	"net/http"
	"net/http/httptrace"
	"time"
)

// noteConn notes that a request is given to a connection, after it waited.
func noteConn(req *http.Request, conn *upstreamConn, reused bool, waited time.Duration) {
	hop := Hop{Origin: req.URL.Scheme + "://" + req.URL.Host, Reused: reused}
	var handshake time.Duration
	if conn != nil {
		hop.Conn, handshake = conn.number, conn.handshake
	}
	note(req.Context(), func(e *Exchange) {
		e.Upstream = hop
		e.Tries++
		e.Connect += waited
		if !reused { // else it is not what the request waited for
			e.TLS += min(handshake, waited)
		}
	})
}

// withConnTrace is for requests whose connections net/http chooses: it tells which.
func withConnTrace(req *http.Request) *http.Request {
	if observationOf(req.Context()) == nil {
		return req
	}
	began := time.Now()
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { began = time.Now() }, // again where a connection turns out to be dead
		GotConn: func(info httptrace.GotConnInfo) {
			noteConn(req, upstreamConnOf(info.Conn), info.Reused, time.Since(began))
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
