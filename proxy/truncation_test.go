package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"

	"avsproxy/internal/upstream"
)

// goodbyes are the two ways in which a TLS connection ends.
var goodbyes = map[string]func(net.Conn){
	"close_notify": func(conn net.Conn) { conn.Close() },
	"FIN alone":    func(conn net.Conn) { conn.(*tls.Conn).NetConn().Close() },
}

// Only an answer whose end is the connection's depends on how that ends.
func TestOnlyAnswersWithoutALengthNeedACleanClose(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		whole  map[string]bool
	}{
		"no length": {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it", map[string]bool{"close_notify": true, "FIN alone": false}},
		"HTTP/1.0":  {"HTTP/1.0 200 OK\r\n\r\nall of it", map[string]bool{"close_notify": true, "FIN alone": false}},
		"length":    {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall of it", map[string]bool{"close_notify": true, "FIN alone": true}},
		"chunks":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nall of it\r\n0\r\n\r\n", map[string]bool{"close_notify": true, "FIN alone": true}},
	} {
		for ending, end := range goodbyes {
			t.Run(name+"/"+ending, func(t *testing.T) {
				addr, roots := rawTLS(t, []string{"http/1.1"}, func(conn net.Conn) {
					readHead(conn)
					io.WriteString(conn, c.answer)
					end(conn)
				})
				l := build(t, "https://"+addr, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
				over(t, func(t *testing.T, client *http.Client) {
					resp, err := client.Do(request(t, "GET", l.url, nil))
					var body []byte
					if err == nil {
						body, err = io.ReadAll(resp.Body)
						resp.Body.Close()
					}
					if (err == nil) != c.whole[ending] || err == nil && string(body) != "all of it" {
						t.Errorf("%q, %v", body, err)
					}
				})
			})
		}
	}
}

// A spare connection that ends without a goodbye costs no request that may be sent
// again (RFC 9110 section 9.2.2).
func TestIdleConnectionThatEndsCostsNoRequest(t *testing.T) {
	for ending, end := range goodbyes {
		addr, roots := rawTLS(t, []string{"http/1.1"}, func(conn net.Conn) {
			readHead(conn)
			io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			end(conn)
		})
		l := build(t, "https://"+addr, roots, plan{source: static()})
		for i := range 20 {
			if a := do(t, h1Client(t), request(t, "GET", l.url, nil)); a.StatusCode != http.StatusNoContent {
				t.Fatalf("%s, request %d: %s %s", ending, i, a.Status, a.body)
			}
		}
	}
}
