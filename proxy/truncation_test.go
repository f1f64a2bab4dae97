package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// goodbyes are the two ways in which a TLS connection ends.
var goodbyes = map[string]func(net.Conn){
	"close_notify": func(conn net.Conn) { conn.Close() },
	"FIN alone":    func(conn net.Conn) { conn.(*tls.Conn).NetConn().Close() },
}

// Only an answer whose end is the connection's depends on how that ends.
func TestAnswersAreWholeByTheirOwnEnd(t *testing.T) {
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
				l := build(t, "https://"+addr, roots, plan{source: static(), options: UpstreamOptions{SingleConnection: true}})
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
func TestSpareConnectionsMayEndAnyhow(t *testing.T) {
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

func TestEndsBelowTLSAreNoted(t *testing.T) {
	for name, c := range map[string]struct {
		reader io.Reader
		ended  bool
	}{
		"bytes, then the end": {strings.NewReader("x"), true},
		"bytes with the end":  {iotest.DataErrReader(bytes.NewReader([]byte("x"))), false}, // as TLS within TLS has it
		"cut otherwise":       {iotest.ErrReader(io.ErrClosedPipe), false},
	} {
		conn := &eofConn{Conn: readerConn{reader: c.reader}}
		buffer := make([]byte, 8)
		for {
			if _, err := conn.Read(buffer); err != nil {
				break
			}
		}
		if conn.ended.Load() != c.ended {
			t.Errorf("%s: ended = %v", name, !c.ended)
		}
	}
}

type readerConn struct {
	net.Conn
	reader io.Reader
}

func (c readerConn) Read(p []byte) (int, error) { return c.reader.Read(p) }
