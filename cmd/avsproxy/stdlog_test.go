package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/app"
	"avsproxy/internal/certs"
	"avsproxy/internal/testkit"
)

// What net/http says by the standard logger is not said: it quotes what upstreams send
// unasked, and with http2debug every header.
func TestPromise2_TheStandardLoggerIsNotHeard(t *testing.T) {
	authority := testkit.Must(certs.New("test authority"))(t)
	leaf := testkit.Must(authority.Leaf(time.Hour, "localhost"))(t)
	roots := testkit.File(t, "roots.pem", authority.RootPEM())
	closed := make(chan string, 1)
	old := listenTLS(t, leaf, "http/1.1")
	testkit.ServeConns(t, old, func(conn net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nX-Echo: %s\r\n\r\n", r.Header.Get("Authorization"))
		io.WriteString(conn, answer)
		io.Copy(io.Discard, conn) // until the proxy has looked at it
		closed <- r.Header.Get("Authorization")
	})
	modern := listenTLS(t, leaf, "h2")
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
	})}
	go server.Serve(modern)
	t.Cleanup(func() { server.Close() })
	config := "[proxy]\nlisten = \"localhost:0\"\n[console]\nlisten = \"localhost:0\"\n[credential.c]\ngrant = \"static\"\ntoken = \"c4n4ry-token\"\n"
	for name, ln := range map[string]net.Listener{"old": old, "modern": modern} {
		config += fmt.Sprintf("[[route]]\nname = %q\nupstream = \"https://localhost:%s\"\nca_file = %q\ncredential = \"c\"\n", name, app.PortOf(ln.Addr().String()), roots)
	}
	proxy := serveBuilt(t, config, "GODEBUG=http2debug=2")
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	defer client.CloseIdleConnections()
	for _, name := range []string{"old", "modern"} {
		req := testkit.Must(http.NewRequest("GET", proxy.Proxy[0], nil))(t)
		req.Host = name + ".localhost:" + app.PortOf(proxy.Proxy[0])
		req.Header.Set("X-Own", "c4n4ry-field")
		resp := testkit.Must(client.Do(req))(t)
		if resp.Body.Close(); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	if sent := <-closed; !testkit.HasCanary(sent) {
		t.Fatalf("the upstream got %q", sent)
	}
	if said := proxy.Stderr.String(); testkit.HasCanary(said) || strings.Contains(said, "http2: ") || strings.Contains(said, "Unsolicited") {
		t.Errorf("it said\n%.2000s", said)
	}
}

func listenTLS(t *testing.T, leaf *tls.Certificate, protocol string) net.Listener {
	t.Helper()
	ln := testkit.Must(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: []string{protocol}}))(t)
	t.Cleanup(func() { ln.Close() })
	return ln
}
