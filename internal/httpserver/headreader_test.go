package httpserver

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

const (
	plainGet = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
	chunked  = "PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4;ext=\"0\"\r\nab\n\n\r\n1\r\nc\r\n0\r\nLate: Content-Length\r\n\r\n"
	sized    = "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 62\r\n\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nabcd\r"
	empty    = "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
	mixed    = "POST /x HTTP/1.1\r\nHost: x\r\ncontent-length: 5\r\nTransfer-ENCODING:chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
	mixed10  = "POST /x HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nabcde"
	padded   = "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length:                                                                      2\r\n\r\nab"
	folded   = "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n 5\r\n\r\nabcde"
	bareLF   = "POST /x HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nContent-Length: 5\n\n1\r\na\r\n0\r\n\r\n"
)

// conversations are requests, one behind the other, and which of them is the first that
// the connection cannot go on after; 0 = none.
var conversations = map[string]struct {
	text string
	ends int
}{
	"mixed":                     {mixed + plainGet, 1},
	"mixed, behind others":      {plainGet + sized + mixed + plainGet, 3},
	"mixed behind good chunks":  {chunked + chunked + mixed + plainGet, 3},
	"mixed, HTTP/1.0":           {empty + mixed10 + plainGet, 2},
	"mixed, with bare LFs":      {bareLF + plainGet, 1},
	"mixed behind many of them": {strings.Repeat(sized, 20) + mixed + plainGet, 21},
	"mixed behind padding":      {padded + padded + mixed + plainGet, 3},
	"folded":                    {plainGet + folded + plainGet, 2},
	"none is mixed":             {chunked + sized + "\r\n" + empty + plainGet + chunked, 0},
}

func TestHeadsAreFoundHoweverTheyCome(t *testing.T) {
	for name, c := range conversations {
		for size := 1; size < len(c.text); size += 1 + size/3 {
			var h headReader
			for rest := []byte(c.text); len(rest) > 0; {
				n := min(size, len(rest))
				h.read(rest[:n])
				rest = rest[n:]
			}
			if got := int(h.mixed.Load()); got != c.ends {
				t.Errorf("%s, by %d: number %d is mixed, want %d", name, size, got, c.ends)
			}
		}
	}
}

// Everything behind the head of the largest chunk belongs to that chunk.
func TestNoHeadIsFoundInTheLargestChunk(t *testing.T) {
	var h headReader
	h.read([]byte("PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n\r\n0\r\n\r\n" + mixed))
	if got := h.mixed.Load(); got != 0 {
		t.Errorf("number %d is mixed", got)
	}
}

func TestConnectionEndsWhereTheNextRequestMayBePartOfThisOne(t *testing.T) {
	serverConf, clientConf := testkit.TLSConfigs(t)
	clientConf.NextProtos = nil
	const last = "GET /x HTTP/1.1\r\nHost: x\r\nLast: yes\r\nConnection: close\r\n\r\n"
	for name, c := range conversations {
		for _, conf := range []*tls.Config{nil, serverConf} {
			if conf != nil && !servesAnyTLS {
				continue
			}
			address := serveStandard(t, conf, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.Header().Set("Last", r.Header.Get("Last"))
			}))
			conn := testkit.Dial(t, address)
			defer conn.Close()
			if conf != nil {
				conn = tls.Client(conn, clientConf)
			}
			testkit.Must(io.WriteString(conn, c.text+last))(t)
			if answers, whole := answersOn(conn); whole != (c.ends == 0) || c.ends != 0 && answers != c.ends {
				t.Errorf("%s, tls=%t: %d answers, the last request is answered: %t; it ends with number %d", name, conf != nil, answers, whole, c.ends)
			}
		}
	}
}

// answersOn counts the answers until the connection ends, and tells whether the last
// request got one.
func answersOn(conn net.Conn) (answers int, whole bool) {
	in := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return answers, whole
		}
		answers++
		whole = resp.Header.Get("Last") != ""
	}
}
