package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/app"
	"avsproxy/internal/cli"
	"avsproxy/internal/terminal"
	"avsproxy/internal/testkit"

	"golang.org/x/net/websocket"
)

// withoutOrigin is a connection of a program: the library's client sends an Origin,
// as pages do.
type withoutOrigin struct{ net.Conn }

func (c withoutOrigin) Write(p []byte) (int, error) {
	_, err := c.Conn.Write(bytes.Replace(p, []byte("Origin: http://localhost\r\n"), nil, 1))
	return len(p), err
}

func openWebSocket(t *testing.T, address string) *websocket.Conn {
	t.Helper()
	conf, _ := websocket.NewConfig("ws://localhost:"+app.PortOf(address)+"/", "http://localhost")
	return testkit.Must(websocket.NewClient(conf, withoutOrigin{testkit.Dial(t, address)}))(t)
}

// echoUpstream is an API with nothing but a WebSocket, and its route.
func echoUpstream(t *testing.T) (route string) {
	echo := websocket.Server{Handler: func(conn *websocket.Conn) { io.Copy(conn, conn) }}
	server := testkit.TLSServer(t, http.Handler(echo), testkit.HTTP1)
	return fmt.Sprintf("[proxy]\nlisten = \"localhost:0\"\n[console]\nlisten = \"localhost:0\"\n"+
		"[[route]]\nname = \"api\"\nupstream = %q\nca_file = %q\nwebsocket = true\n", server.URL, testkit.CertFile(t, server))
}

// A WebSocket has no end of its own, so the proxy sends a close frame.
func TestWebSocketsEndWithTheProxy(t *testing.T) {
	dir := newHome(t, echoUpstream(t))
	env := map[string]string{"HOME": dir, "AVSPROXY_CONFIG": filepath.Join(dir, "config.toml"), "NO_COLOR": "1"}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stdout, stderr := testkit.NewBuffer(), testkit.NewBuffer()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, []string{"serve", "--json"}, func(name string) string { return env[name] }, http.NoBody, stdout, stderr)
	}()
	<-stdout.Written
	var ready servedAt
	testkit.NoError(t, json.Unmarshal(stdout.Bytes(), &ready))
	address := strings.TrimPrefix(ready.Proxy[0], "http://")
	socket := openWebSocket(t, address)
	stop()
	if n, err := socket.Read(make([]byte, 99)); err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
	if code := <-ended; code != terminal.ExitDone {
		t.Errorf("serve ended with %d:\n%s", code, stderr)
	}
	if !bytes.Contains(stderr.Bytes(), []byte("101 GET /")) || !bytes.Contains(stderr.Bytes(), []byte("ending 1 exchange that would go on for ever")) {
		t.Errorf("the exchange is not told:\n%s", stderr)
	}
}
