package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
)

func through(t *testing.T, address string) func(*url.URL) (*url.URL, error) {
	t.Helper()
	via, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return func(*url.URL) (*url.URL, error) { return via, nil }
}

// listenRaw serves each connection by f.
func listenRaw(t *testing.T, f func(net.Conn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { ln.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			serving.Go(func() { f(conn) })
		}
	})
	return ln.Addr().String()
}

// What a server says behind the head is not lost with the head's buffer.
func TestNoByteBehindAProxysHeadIsLost(t *testing.T) {
	const head = "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-Proxy: y\r\n\r\n"
	addr := listenRaw(t, func(conn net.Conn) {
		http.ReadRequest(bufio.NewReader(conn))
		io.WriteString(conn, head+"early")
		hang(conn)
	})
	u := New(Options{Origin: &url.URL{Scheme: "https", Host: "upstream.example"}, Proxy: through(t, "http://"+addr)})
	conn, err := u.dialRaw(t.Context(), "tcp", "upstream.example:443")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	early := make([]byte, 5)
	if _, err := io.ReadFull(conn, early); err != nil || string(early) != "early" {
		t.Fatalf("%q %v", early, err)
	}
}

func TestDialThroughAProxyEndsWithItsContext(t *testing.T) {
	for _, scheme := range []string{"http", "https", "socks5"} {
		arrived := make(chan struct{})
		addr := listenRaw(t, func(conn net.Conn) { io.ReadFull(conn, make([]byte, 1)); close(arrived); hang(conn) })
		u := New(Options{Origin: &url.URL{Scheme: "https", Host: "upstream.example"}, Proxy: through(t, scheme+"://"+addr)})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		if _, err := u.dialRaw(ctx, "tcp", "upstream.example:443"); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}
