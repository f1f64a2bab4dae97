package wire

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs handler behind Listen and StreamIDs, and returns its address. conf is
// nil for a clear listener.
func serve(t *testing.T, conf *tls.Config, handler http.Handler) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := ln.Addr().String()
	if conf != nil {
		ln = tls.NewListener(ln, conf)
	}
	server := &http.Server{
		Handler:     StreamIDs(handler),
		Protocols:   protocols(),
		ConnContext: NewContext,
		ErrorLog:    log.New(io.Discard, "", 0),
	}
	go server.Serve(Listen(ln))
	t.Cleanup(func() { server.Close() })
	return address
}

func protocols() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return &p
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

// connect makes an HTTP/2 connection to address through pass, if that is set.
func connect(t *testing.T, address string, pass func(net.Conn) net.Conn) *http.ClientConn {
	t.Helper()
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		Protocols:          &p,
		DisableCompression: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err == nil && pass != nil {
				conn = pass(conn)
			}
			return conn, err
		},
	}
	conn, err := transport.NewClientConn(t.Context(), "http", address)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func request(t *testing.T, method, address string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+address+"/", body)
	must(t, err)
	return req
}

func roundTrip(t *testing.T, conn http.RoundTripper, req *http.Request) *http.Response {
	t.Helper()
	resp, err := conn.RoundTrip(req)
	must(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// torn is a connection that reads and writes a few bytes at a time.
type torn struct {
	net.Conn
	size int
}

func (c torn) Read(p []byte) (int, error) { return c.Conn.Read(p[:min(len(p), c.size)]) }

func (c torn) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = c.Conn.Write(p[n:min(len(p), n+c.size)])
		n += m
	}
	return n, err
}
