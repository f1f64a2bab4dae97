package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"avsproxy/internal/app"
	"avsproxy/internal/cli"
	"avsproxy/internal/terminal"
	"avsproxy/internal/testkit"
)

// A target is a proxy with a token that never ends, and what its upstream saw.
type target struct {
	*runningProxy
	addr     string
	arrivals atomic.Int64
	answer   http.HandlerFunc // nil = 200
}

func startTarget(t *testing.T, more string) *target { return startTargetOver(t, more, false) }

// startTargetOver has an upstream that speaks HTTP/2, if that is asked for.
func startTargetOver(t *testing.T, more string, http2 bool) *target {
	t.Helper()
	got := &target{}
	upstream := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.arrivals.Add(1)
		if got.answer != nil {
			got.answer(w, r)
		}
	}), func(server *httptest.Server) { server.EnableHTTP2 = http2 })
	got.runningProxy = startProxy(t, fmt.Sprintf(`
[proxy]
listen = "localhost:0"
%s
[console]
listen = "localhost:0"
[[route]]
name = "api"
upstream = %q
credential = "fixed"
ca_file = %q
[credential.fixed]
grant = "static"
token = "c4n4ry-token"
`, more, upstream.URL, testkit.CertFile(t, upstream)))
	got.addr = strings.TrimPrefix(got.Proxy[0], "http://")
	return got
}

// send writes text as it is and returns all that comes back.
func (g *target) send(t *testing.T, text string) string {
	t.Helper()
	conn := testkit.Dial(t, g.addr)
	defer conn.Close()
	testkit.Must(io.WriteString(conn, text))(t)
	answer, _ := io.ReadAll(conn) // cut off is an answer, too
	return string(answer)
}

func (g *target) get(t *testing.T, host string, fields ...string) string {
	t.Helper()
	return g.send(t, "GET /x HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n"+strings.Join(append(fields, "\r\n"), "\r\n"))
}

func (g *target) refuses(t *testing.T, what, answer, status, code string) {
	t.Helper()
	if !strings.HasPrefix(answer, "HTTP/1.1 "+status) || !strings.Contains(answer, "Avsproxy-Error: "+code) || testkit.HasCanary(answer) {
		t.Errorf("%s: %.200q", what, answer)
	}
	if n := g.arrivals.Swap(0); n != 0 {
		t.Errorf("%s: %d requests arrived", what, n)
	}
}

// A page on a name that was pointed at 127.0.0.1, or a name that only looks local.
func TestC01_C03_HostsThatOnlyLookLocalAreRefused(t *testing.T) {
	g := startTarget(t, "")
	port := app.PortOf(g.addr)
	for _, host := range []string{
		"evil.example", "evil.example:" + port, "localhost.evil.example:" + port, "127.0.0.1.evil.example", "evil-localhost:" + port,
		"localhost:1", "127.0.0.2:" + port, "[::ffff:127.0.0.1]:" + port, "127.1:" + port, "0x7f000001:" + port, "api.localhost.evil:" + port,
		"nobody.localhost:" + port, "localhost:" + port + ":80", "api%2elocalhost:" + port,
	} {
		answer := g.get(t, host)
		if strings.HasPrefix(answer, "HTTP/1.1 400") && g.arrivals.Load() == 0 {
			continue // net/http's own word on what is no host at all
		}
		g.refuses(t, host, answer, "421", "unknown_host")
	}
	for _, host := range []string{"localhost:" + port, "LOCALHOST:" + port, "api.localhost:" + port, "localhost"} {
		if answer := g.get(t, host); !strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Errorf("%s: %.100q", host, answer)
		}
	}
}

func TestC02_WebPagesCannotSpendTheLogin(t *testing.T) {
	g := startTarget(t, "")
	for _, field := range []string{
		"Origin: https://evil.example", "Origin: null", "Origin: " + g.Proxy[0], "Origin:", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
		"Access-Control-Request-Method: PUT", "Origin: https://evil.example\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13",
	} {
		answer := g.get(t, "localhost", field)
		g.refuses(t, field, answer, "403", "origin_forbidden")
		if strings.Contains(answer, "Access-Control-Allow") {
			t.Errorf("%s: a CORS header", field)
		}
	}
}

func TestC06_WiderListenersNeedAKey(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:0"} {
		code, said := serveInVain(t, fmt.Sprintf("[proxy]\nlisten = %q\n[[route]]\nname = \"a\"\nupstream = \"https://api.example\"\n", addr))
		if code != terminal.ExitUsage || !strings.Contains(said, "client_key") {
			t.Errorf("%s: exit %d, %s", addr, code, said)
		}
	}
}

// serveInVain runs "serve" with a configuration with which it does not start.
func serveInVain(t *testing.T, config string) (code int, said string) {
	dir := newHome(t, config)
	stderr := testkit.NewBuffer()
	code = cli.Run(t.Context(), []string{"serve", "--config", filepath.Join(dir, "config.toml")}, func(string) string { return dir }, http.NoBody, io.Discard, stderr)
	return code, stderr.String()
}

// Whoever holds the port already would get our requests.
func TestC07_ATakenPortIsAnErrorThatNamesItsHolder(t *testing.T) {
	g := startTarget(t, "")
	code, said := serveInVain(t, fmt.Sprintf("[proxy]\nlisten = \"localhost:%s\"\n[console]\nlisten = \"localhost:0\"\n[[route]]\nname = \"a\"\nupstream = \"https://api.example\"\n", app.PortOf(g.addr)))
	if code == terminal.ExitDone || !strings.Contains(said, app.PortOf(g.addr)) || strings.Contains(said, "is ready") {
		t.Errorf("exit %d, %s", code, said)
	}
}

func TestC10_OtherHostsGetNoToken(t *testing.T) {
	seen := make(chan http.Header, 1)
	other := testkit.Server(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }))
	g := startTarget(t, `others = "tunnel"`)
	host := strings.TrimPrefix(other.URL, "http://")
	answer := g.send(t, "GET "+other.URL+"/ HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
	if header := <-seen; !strings.HasPrefix(answer, "HTTP/1.1 200") || header.Get("Authorization") != "" || testkit.HasCanary(fmt.Sprint(header)) {
		t.Errorf("%.100q; it got %v", answer, header)
	}
	if n := g.arrivals.Load(); n != 0 {
		t.Errorf("%d requests at the route's upstream", n)
	}
}

// One request must not become two, whatever its framing says.
func TestC19_FramingTricksEndTheConnection(t *testing.T) {
	g := startTarget(t, "")
	for name, text := range map[string]string{
		"two lengths":        "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcdeGET /smuggled HTTP/1.1\r\n\r\n",
		"odd coding":         "POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"coding twice":       "POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"space before colon": "GET /x HTTP/1.1\r\nHost: localhost\r\nContent-Length : 5\r\n\r\n",
		"NUL in a value":     "GET /x HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
		"lone CR":            "GET /x HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
		"two hosts":          "GET /x HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
		"no host":            "GET /x HTTP/1.1\r\n\r\n",
	} {
		answer := g.send(t, text)
		if !strings.HasPrefix(answer, "HTTP/1.1 4") && !strings.HasPrefix(answer, "HTTP/1.1 501") || strings.Count(answer, "HTTP/1.1 ") != 1 {
			t.Errorf("%s: %.200q", name, answer)
		}
		if n := g.arrivals.Swap(0); n != 0 {
			t.Errorf("%s: %d requests arrived", name, n)
		}
	}
	// Chunks win over a length, and what comes behind them is judged by itself.
	answer := g.send(t, "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /y HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
	if n := g.arrivals.Load(); n > 1 || strings.Contains(answer, "HTTP/1.1 200 OK\r\n") && !strings.Contains(answer, "421") && strings.Count(answer, "HTTP/1.1") > 1 {
		t.Errorf("%d requests arrived: %.300q", n, answer)
	}
}

func TestC23_AnUpstreamThatNeverAnswersIsGivenUpWhereAsked(t *testing.T) {
	g := startTarget(t, "")
	release := make(chan struct{})
	g.answer = func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done(): // the client's end reaches the upstream
		}
	}
	conn := testkit.Dial(t, g.addr)
	io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
	testkit.Eventually(t, "the request to arrive", func() bool { return g.arrivals.Load() > 0 })
	conn.Close()
	if answer := g.get(t, "evil.example"); !strings.HasPrefix(answer, "HTTP/1.1 421") {
		t.Errorf("others wait behind it: %.100q", answer)
	}
	close(release)
}

// What is packed stays packed: nobody here unpacks a bomb.
func TestC25_PackedAnswersPassAsTheyAre(t *testing.T) {
	g := startTarget(t, "")
	g.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("X-Asked", r.Header.Get("Accept-Encoding"))
		io.WriteString(w, "\x1f\x8b not really")
	}
	answer := g.get(t, "localhost", "Accept-Encoding: gzip, br")
	if !strings.Contains(answer, "\x1f\x8b not really") || !strings.Contains(answer, "X-Asked: gzip, br\r\n") || !strings.Contains(answer, "Content-Encoding: gzip") {
		t.Errorf("%.300q", answer)
	}
}
