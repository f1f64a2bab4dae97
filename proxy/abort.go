package proxy

import (
	"net"
	"net/http"
)

// abortResponse is deferred around the answer to an HTTP/1.0 client. Such an answer may
// end with the connection, so one that broke off would look whole if the connection
// were closed in the usual way: a reset is all that tells them apart.
func abortResponse(w http.ResponseWriter) {
	broken := recover()
	if broken == nil {
		return
	}
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		resetConn(conn)
	}
	panic(broken)
}

// resetConn closes a connection with RST instead of FIN, where it is TCP below, and
// without TLS's goodbye, which would make the answer whole.
func resetConn(conn net.Conn) {
	defer conn.Close()
	below := conn
	for {
		wrapper, wraps := below.(interface{ NetConn() net.Conn })
		if !wraps {
			break
		}
		below = wrapper.NetConn()
	}
	if tcp, ok := below.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // what cannot linger is closed all the same
	}
	below.Close()
}
