package upstream

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/exchange"
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
			x := exchange.New(nil, &exchange.Head{})
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://localhost/", nil)
			resp, err := u.Send(x, req, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if e := x.Facts(); e.Tries != tries || e.Connect != 2*time.Second || e.TLS != time.Second {
				t.Errorf("%d tries, %v for connecting, %v of it for TLS", e.Tries, e.Connect, e.TLS)
			}
		}
	})
}
