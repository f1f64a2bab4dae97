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
	return serveBy(t, conf, New(handler, DiscardLog()))
}

// serveStandard has net/http serve HTTP/1.x.
func serveStandard(t *testing.T, conf *tls.Config, handler http.Handler) string {
	t.Helper()
	server := New(handler, DiscardLog())
	server.Standard = true
	return serveBy(t, conf, server)
}

func serveBy(t *testing.T, conf *tls.Config, server *Server) string {
	t.Helper()
	ln := testkit.Listen(t)
	address := ln.Addr().String()
	if conf != nil {
		ln = tls.NewListener(ln, conf)
	}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(ln) })
	t.Cleanup(func() {
		server.Close()
		serving.Wait()
	})
	return address
}
