package avsroute

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/exchange"
	"avsproxy/internal/upstream"
)

// Streams to the former upstream have 30 seconds more; then it is closed.
func TestFormerUpstreamIsClosedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := func(host string) *upstream.Upstream {
			return upstream.New(upstream.Options{Origin: &url.URL{Scheme: "https", Host: host}, Dial: func(context.Context, string, string) (net.Conn, error) {
				return nil, errors.New("nobody is there")
			}})
		}
		first := to("h.example")
		g := NewGateway(GatewayOptions{First: first, OnRedirect: func(Redirection) {}, Next: func(origin *url.URL) *upstream.Upstream { return to(origin.Host) }})
		g.heard(g.current(), avs.ReceivedDirective{Header: avs.Header{Namespace: "System", Name: "SetEndpoint"}, Payload: []byte(`{"endpoint":"https://h.example:8443"}`)})
		if now := g.Origin().Host; now != "h.example:8443" {
			t.Fatal(now)
		}
		ask := func() error {
			_, err := first.Send(exchange.New(nil, &exchange.Head{}), httptest.NewRequest("GET", "https://h.example/", nil), nil)
			return err
		}
		time.Sleep(moveGrace - time.Second)
		if err := ask(); !strings.Contains(err.Error(), "nobody is there") {
			t.Errorf("before the end: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := ask(); strings.Contains(err.Error(), "nobody is there") || len(g.former) > 0 {
			t.Errorf("after the end: %v", err)
		}
		g.Close()
	})
}
