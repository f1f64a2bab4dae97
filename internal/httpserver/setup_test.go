package httpserver

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// serve answers on an address of its own. conf nil = in the clear.
func serve(t *testing.T, conf *tls.Config, handler http.Handler) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
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

// certified returns what a server and its clients need for TLS.
func certified(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	source := httptest.NewUnstartedServer(nil)
	source.EnableHTTP2 = true
	source.StartTLS()
	t.Cleanup(source.Close)
	client = source.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	client.ServerName = "example.com"
	client.NextProtos = []string{"h2", "http/1.1"}
	return &tls.Config{Certificates: source.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}, client
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
