package upstream

import (
	"io"
	"net"
	"net/http"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// RoundTrip sends a request as it is.
func (u *Upstream) RoundTrip(req *http.Request) (*http.Response, error) {
	return u.Send(exchange.New(nil, &exchange.Head{}), req, nil)
}

// RoundTrip sends a request as it is.
func (s *connPool) RoundTrip(req *http.Request) (*http.Response, error) {
	return send(s, exchange.New(nil, &exchange.Head{}), req, nil, nil)
}

// hang reads, and says nothing.
func hang(conn net.Conn) { io.Copy(io.Discard, conn) }

// A closing body knows whether it was closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }
