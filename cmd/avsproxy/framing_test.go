package main

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// Broken framing of the client is not reported as a fault of the upstream, over HTTP/1.1 and HTTP/2.
func TestBrokenChunksAreTheClientsFault(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		target := startTargetOver(t, "", http2)
		target.answer = func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }
		for name, body := range map[string]string{
			"no length":         "zz\r\nhello\r\n0\r\n\r\n",
			"a broken second":   "5\r\nhello\r\nzz\r\n",
			"no line break":     "5\r\nhelloXX0\r\n\r\n",
			"too long a length": "fffffffffffffffff\r\n",
			"broken trailers":   "5\r\nhello\r\n0\r\nno field\r\n\r\n",
		} {
			text := target.send(t, "POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"+body+"GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n")
			if !strings.HasPrefix(text, "HTTP/1.1 400") || !strings.Contains(text, "Avsproxy-Error: bad_request") || !strings.Contains(text, "\r\nConnection: close\r\n") {
				t.Errorf("%s: %.300q", name, text)
			}
			if strings.Count(text, "HTTP/1.1") != 1 {
				t.Errorf("%s: what came behind it was taken for a request: %q", name, text)
			}
		}
	}
}

func TestRequestsOfTwoLengthsAreRefused(t *testing.T) {
	g := startTarget(t, "")
	g.answer = func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }
	const both = "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
	ways := map[string]func() net.Conn{
		"clear":   func() net.Conn { return testkit.Dial(t, g.addr) },
		"TLS":     func() net.Conn { return tls.Client(testkit.Dial(t, g.addr), &tls.Config{InsecureSkipVerify: true}) },
		"console": func() net.Conn { return testkit.Dial(t, strings.TrimPrefix(g.Console, "http://")) },
		"CONNECT": func() net.Conn {
			conn := testkit.Dial(t, g.addr)
			io.WriteString(conn, "CONNECT api.localhost:80 HTTP/1.1\r\nHost: api.localhost:80\r\n\r\n")
			if resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != http.StatusOK {
				t.Fatal(resp, err)
			}
			return conn
		},
	}
	for name, connect := range ways {
		conn := connect()
		defer conn.Close()
		host := map[string]string{"CONNECT": "api.localhost"}[name]
		testkit.Must(io.WriteString(conn, strings.ReplaceAll(both+smuggled, "localhost", cmp.Or(host, "localhost"))))(t)
		text, _ := io.ReadAll(conn)
		if strings.Count(string(text), "HTTP/1.1 ") != 1 || !strings.HasPrefix(string(text), "HTTP/1.1 400 ") || !strings.Contains(string(text), "\r\nConnection: close\r\n") {
			t.Errorf("%s: %.400q", name, text)
		}
		if n := g.arrivals.Swap(0); n > 0 {
			t.Errorf("%s: %d requests arrived", name, n)
		}
	}
	if said := g.Stderr.String(); !strings.Contains(said, "a request could not be read status=400 error=bad_request") {
		t.Errorf("the log says %q", said)
	}
}
