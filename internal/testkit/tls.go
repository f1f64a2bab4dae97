package testkit

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

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

// Server serves HTTP/1.1 in clear text until the test ends.
func Server(t testing.TB, handler http.Handler) *httptest.Server {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// HTTP1 is a change for [TLSServer]: no HTTP/2.
func HTTP1(server *httptest.Server) { server.EnableHTTP2 = false }

// Pool returns a pool with the certificate of a server.
func Pool(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}

// CertFile writes the certificate of a server to a file of PEM.
func CertFile(t testing.TB, server *httptest.Server) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "cert.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	NoError(t, os.WriteFile(path, text, 0o644))
	return path
}

// PoolOf returns a pool with the certificates of PEM text.
func PoolOf(t testing.TB, text []byte) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("no certificate in PEM")
	}
	return pool
}
