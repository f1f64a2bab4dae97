package testkit

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Server serves HTTP/1.1 in clear text until the test ends.
func Server(t testing.TB, handler http.Handler) *httptest.Server {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// TLSServer serves HTTP/1.1 and HTTP/2 over TLS until the test ends. The changes are
// made before it starts.
func TLSServer(t testing.TB, handler http.Handler, changes ...func(*httptest.Server)) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	for _, change := range changes {
		change(server)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// HTTP1 is a change for [TLSServer]: no HTTP/2.
func HTTP1(server *httptest.Server) { server.EnableHTTP2 = false }

// StartServer serves a configured server on a free port until the test ends.
func StartServer(t testing.TB, config *http.Server) *httptest.Server {
	server := httptest.NewUnstartedServer(nil)
	server.Config = config
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// AllProtocols are HTTP/1.1, and HTTP/2 with TLS and without.
func AllProtocols() *http.Protocols {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &protocols
}

// Body reads the body of a response, and closes it.
func Body(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	return string(Must(io.ReadAll(resp.Body))(t))
}
