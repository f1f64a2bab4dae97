package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/testkit"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

func TestHalfClosedRequestsGetTheUpstreamsAnswerOrNone(t *testing.T) {
	g := startTarget(t, "")
	g.answer = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("From", "upstream") }
	for range 200 {
		conn := testkit.Dial(t, g.addr)
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		conn.(*net.TCPConn).CloseWrite()
		if text, _ := io.ReadAll(conn); len(text) > 0 && !strings.Contains(string(text), "From: upstream") {
			t.Errorf("it got %q", text)
		}
		conn.Close()
	}
}

// What is inside CONNECT over HTTP/2 takes a place like any other connection.
func TestPromise7_ConnectionsInsideConnectAreBounded(t *testing.T) {
	proxy := startWithFiles(t, 128, "[proxy]\nlisten = \"localhost:0\"\n[console]\nlisten = \"localhost:0\"\n[[route]]\nname = \"api\"\nupstream = \"https://api.example\"\n")
	conn := testkit.Dial(t, strings.TrimPrefix(proxy.Proxy[0], "http://"))
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.WriteSettings()
	var head bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	const tunnels = 100
	for i := range tunnels {
		head.Reset()
		encoder.WriteField(hpack.HeaderField{Name: ":method", Value: "CONNECT"})
		encoder.WriteField(hpack.HeaderField{Name: ":authority", Value: "api.localhost:443"})
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: head.Bytes(), EndHeaders: true})
	}
	answers := map[string]int{}
	decoder := hpack.NewDecoder(4096, nil)
	for n := 0; n < tunnels; {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("after %v: %v", answers, err)
		}
		if frame, ok := frame.(*http2.HeadersFrame); ok {
			fields := testkit.Must(decoder.DecodeFull(frame.HeaderBlockFragment()))(t)
			answers[summary(fields)]++
			n++
		}
	}
	if places := 128/2 - 1; answers["200"] != places || answers["503 busy 1"] != tunnels-places {
		t.Errorf("%v", answers)
	}
}

// summary is what an answer says by its head.
func summary(fields []hpack.HeaderField) string {
	said := map[string]string{}
	for _, field := range fields {
		said[field.Name] = field.Value
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", said[":status"], said["avsproxy-error"], said["retry-after"]))
}
