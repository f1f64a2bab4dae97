package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

// An upstream that is asked without a route says 103 while net/http says 100.
func TestInterimAnswersOfUnroutedHostsDoNotMixWith100Continue(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	host := rawTCP(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			io.WriteString(conn, strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 20))
			io.Copy(io.Discard, r.Body)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	bad := 0
	for range 400 {
		conn := testkit.Dial(t, f.addr)
		conn.SetDeadline(time.Now().Add(3 * time.Second))
		io.WriteString(conn, "POST http://"+host+"/ HTTP/1.1\r\nHost: "+host+"\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")
		in := bufio.NewReader(conn)
		sent := false
		var all strings.Builder
		for {
			line, err := in.ReadString('\n')
			all.WriteString(line)
			if strings.HasPrefix(line, "HTTP/1.1 100") && !sent {
				sent = true
				io.WriteString(conn, "hello")
			}
			if err != nil {
				break
			}
		}
		conn.Close()
		for _, block := range strings.Split(all.String(), "\r\n\r\n") {
			if strings.Count(block, "HTTP/1.1 ") > 1 || (block != "" && !strings.HasPrefix(block, "HTTP/1.1 ")) {
				bad++
				t.Logf("%q", block)
				break
			}
		}
		if !sent || !strings.Contains(all.String(), " 200 OK") {
			bad++
			t.Logf("no 100 or no 200: %.300q", all.String())
		}
		if bad > 2 {
			break
		}
	}
	if bad > 0 {
		t.Errorf("%d answers were mixed", bad)
	}
}
