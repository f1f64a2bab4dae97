package proxy

import (
	"net"
	"net/http"
	"net/http/httptrace"
	"time"
)

// noteHop notes that a request is given to a connection.
func noteHop(req *http.Request, hop Hop) {
	hop.Origin = req.URL.Scheme + "://" + req.URL.Host
	note(req.Context(), func(e *Exchange) {
		e.Upstream = hop
		e.Tries++
	})
}

// hopNoted is for requests whose connections net/http chooses: it tells which.
func hopNoted(req *http.Request) *http.Request {
	if observationOf(req.Context()) == nil {
		return req
	}
	began := time.Now()
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { began = time.Now() }, // again where a connection turns out to be dead
		GotConn: func(info httptrace.GotConnInfo) {
			note(req.Context(), func(e *Exchange) { e.Connect += time.Since(began) })
			noteHop(req, Hop{Conn: numberOf(info.Conn), Reused: info.Reused})
		},
	}))
}

// numberOf is the number of an upstream's connection, whatever is around it; 0 = it is
// none.
func numberOf(conn net.Conn) uint64 {
	for {
		switch c := conn.(type) {
		case *upstreamConn:
			return c.number
		case *endNoting:
			conn = c.Conn
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return 0
		}
	}
}
