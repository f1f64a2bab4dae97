package httpserver

import (
	"crypto/tls"
	"net/http"
	"sync"
	"testing"

	"avsproxy/internal/testkit"
)

// serve answers on an address of its own. conf nil = in the clear.
func serve(t *testing.T, conf *tls.Config, handler http.Handler) string {
	t.Helper()
	ln := testkit.Listen(t)
	address := ln.Addr().String()
	if conf != nil {
		ln = tls.NewListener(ln, conf)
	}
	server := New(handler, DiscardLog())
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(ln) })
	t.Cleanup(func() {
		server.Close()
		serving.Wait()
	})
	return address
}
