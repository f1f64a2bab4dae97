package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

// One port answers everything a client may start with.
func TestOnePortManyProtocols(t *testing.T) {
	urls, conf := serve(t, "localhost:0", time.Minute)
	for _, c := range []struct {
		scheme, proto string
		enable        func(*http.Protocols)
	}{
		{"http", "HTTP/1.1", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"http", "HTTP/2.0", func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
		{"https", "HTTP/1.1", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"https", "HTTP/2.0", func(p *http.Protocols) { p.SetHTTP2(true) }},
	} {
		for _, host := range urls {
			url := c.scheme + "://" + host
			t.Run(url+" "+c.proto, func(t *testing.T) {
				tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: conf.Clone()}
				defer tr.CloseIdleConnections()
				c.enable(tr.Protocols)
				want := fmt.Sprintf("%s %t hello", c.proto, c.scheme == "https")
				for range 2 { // the second one on the same connection
					if got := post(t, tr, url, "hello"); got != want {
						t.Errorf("got %q, want %q", got, want)
					}
				}
			})
		}
	}
}

func TestSilentConnectionIsClosedWhileOthersAreServed(t *testing.T) {
	const timeout = 200 * time.Millisecond
	urls, _ := serve(t, "127.0.0.1:0", timeout)
	begin := time.Now()
	silent := testkit.Dial(t, urls[0])
	defer silent.Close()

	tr := new(http.Transport)
	defer tr.CloseIdleConnections()
	post(t, tr, "http://"+urls[0], "hello")

	silent.SetReadDeadline(begin.Add(30 * time.Second))
	if n, err := silent.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read %d, %v", n, err)
	}
	if waited := time.Since(begin); waited < timeout {
		t.Errorf("closed after %v", waited)
	}
}

func TestCloseResetsWaitingSockets(t *testing.T) {
	lns, _ := mustOpen(t, "127.0.0.1:0")
	ln := Sniff(lns[0], nil, time.Hour)
	ended := make(chan error)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				ended <- err
				return
			}
			defer c.Close()
			go c.Write([]byte("!"))
		}
	}()
	var clients []net.Conn
	for _, hello := range []string{"", "x"} { // the silent one comes first, so it waits once the other is answered
		c := testkit.Dial(t, ln.Addr().String())
		io.WriteString(c, hello)
		clients = append(clients, c)
	}
	testkit.Must(clients[1].Read(make([]byte, 1)))(t)
	ln.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	if _, err := clients[0].Read(make([]byte, 1)); err == nil || errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("the silent one read %v", err)
	}
}

func TestClearConnectionKeepsItsMethods(t *testing.T) {
	lns, _ := mustOpen(t, "127.0.0.1:0")
	ln := Sniff(lns[0], nil, time.Minute)
	defer ln.Close()
	client := testkit.Dial(t, ln.Addr().String())
	io.WriteString(client, "x")
	c := testkit.Must(ln.Accept())(t)
	defer c.Close()

	if _, ok := c.(syscall.Conn); !ok {
		t.Error("no SyscallConn")
	}
	if n, err := c.(io.ReaderFrom).ReadFrom(strings.NewReader("answer")); n != 6 || err != nil {
		t.Errorf("ReadFrom: %d, %v", n, err)
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
		t.Errorf("client read %q, %v", got, err)
	}
	io.WriteString(client, "y") // its own direction is still open
	got := make([]byte, 2)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "xy" {
		t.Errorf("read %q, %v", got, err)
	}
}

// serve answers with the protocol, whether it came over TLS, and the body. It returns host:port of each listener and
// what a client needs to trust the certificate.
func serve(t *testing.T, addr string, timeout time.Duration) (hosts []string, client *tls.Config) {
	t.Helper()
	conf, client := testkit.TLSConfigs(t)
	client.NextProtos = nil
	srv := &http.Server{Protocols: testkit.AllProtocols(), Handler: http.HandlerFunc(echo)}
	t.Cleanup(func() { srv.Close() })
	lns, _ := mustOpen(t, addr)
	for _, ln := range lns {
		hosts = append(hosts, ln.Addr().String())
		go srv.Serve(Sniff(ln, conf, timeout))
	}
	return hosts, client
}

func echo(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %t ", r.Proto, r.TLS != nil)
	io.Copy(w, r.Body)
}

func post(t *testing.T, tr http.RoundTripper, url, body string) string {
	t.Helper()
	client := http.Client{Transport: tr, Timeout: testkit.Timeout}
	resp := testkit.Must(client.Post(url, "text/plain", strings.NewReader(body)))(t)
	return testkit.Body(t, resp)
}
