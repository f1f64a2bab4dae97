package proxy

import (
	"net/http"

	"avsproxy/internal/netconn"
)

// abortResponse is deferred around the answer to an HTTP/1.0 client that net/http serves. Such an answer may
// end with the connection, so one that broke off would look whole if the connection
// were closed in the usual way: a reset is all that tells them apart.
func abortResponse(w http.ResponseWriter) {
	broken := recover()
	if broken == nil {
		return
	}
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		netconn.Reset(conn)
	}
	panic(broken)
}
