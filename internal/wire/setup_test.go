package wire

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"testing"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// serve runs handler behind Listen and StreamIDs, and returns its address. conf is
// nil for a clear listener.
func serve(t *testing.T, conf *tls.Config, handler http.Handler) string {
	t.Helper()
	ln := testkit.Listen(t)
	address := ln.Addr().String()
	if conf != nil {
		ln = tls.NewListener(ln, conf)
	}
	server := &http.Server{
		Handler:     StreamIDs(handler),
		Protocols:   testkit.AllProtocols(),
		ConnContext: NewContext,
		ErrorLog:    log.New(io.Discard, "", 0),
	}
	go server.Serve(Listen(ln))
	t.Cleanup(func() { server.Close() })
	return address
}

// connect makes an HTTP/2 connection to address through a Client, and through pass,
// if that is set.
func connect(t *testing.T, address string, pass func(net.Conn) net.Conn) (*http.ClientConn, *Client) {
	t.Helper()
	var client *Client
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
			client = NewClient(conn)
			return client, err
		},
	}
	conn := testkit.Must(transport.NewClientConn(t.Context(), "http", address))(t)
	t.Cleanup(func() { conn.Close() })
	return conn, client
}

func request(t *testing.T, method, address string, body io.Reader) *http.Request {
	t.Helper()
	return testkit.Must(http.NewRequestWithContext(t.Context(), method, "https://"+address+"/", body))(t)
}

func roundTrip(t *testing.T, conn http.RoundTripper, req *http.Request) *http.Response {
	t.Helper()
	resp := testkit.Must(conn.RoundTrip(req))(t)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
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
