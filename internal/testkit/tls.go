package testkit

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TLSConfigs returns what a server and its clients need for TLS with HTTP/1.1 and HTTP/2.
func TLSConfigs(t testing.TB) (server, client *tls.Config) {
	certified := TLSServer(t, nil)
	client = certified.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	client.ServerName = "example.com"
	client.NextProtos = []string{"h2", "http/1.1"}
	return &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: client.NextProtos}, client
}

// Pool returns a pool with the certificate of a server.
func Pool(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
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

// CertFile writes the certificate of a server to a file of PEM.
func CertFile(t testing.TB, server *httptest.Server) (path string) {
	t.Helper()
	return File(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}
