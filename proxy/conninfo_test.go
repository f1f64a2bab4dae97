package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// net/http asks once more by itself where an HTTP/1.1 connection turns out to be dead.
// The time until then is no time for connecting.
func TestConnectIsTheTimeForConnectionsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := inMemory(t, "http/1.1", time.Second, func(conn net.Conn) {
			in := bufio.NewReader(conn)
			http.ReadRequest(in)
			io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			if _, err := http.ReadRequest(in); err == nil {
				time.Sleep(time.Minute)
			}
		})
		defer u.Close()
		u.http1.Store(true)
		for tries := 1; tries <= 2; tries++ {
			o := &observation{}
			ctx := context.WithValue(t.Context(), exchangeKey{}, o)
			req, _ := http.NewRequestWithContext(ctx, "GET", "https://localhost/", nil)
			resp, err := u.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if e := o.exchange; e.Tries != tries || e.Connect != 2*time.Second || e.TLS != time.Second {
				t.Errorf("%d tries, %v for connecting, %v of it for TLS", e.Tries, e.Connect, e.TLS)
			}
		}
	})
}
