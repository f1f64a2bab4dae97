package httpexchange

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/peer"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A guarded server with what reached its handler.
type guarded struct {
	addr string
	mu   sync.Mutex
	got  []http.Header
	told []problem.Problem
}

func serve(t *testing.T, rules gate.Rules, ln net.Listener) *guarded {
	t.Helper()
	g := &guarded{addr: ln.Addr().String()}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.got = append(g.got, r.Header)
		w.WriteHeader(http.StatusNoContent)
	})
	refused := func(_ *exchange.Head, p problem.Problem) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.told = append(g.told, p)
	}
	server := &http.Server{Handler: Guard(rules, refused, handler), ErrorLog: log.New(io.Discard, "", 0)}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(ln) })
	t.Cleanup(func() { server.Close(); serving.Wait() })
	return g
}

// send sends a request over a connection of its own; fields end in CR LF.
func (g *guarded) send(t *testing.T, line, fields string) *http.Response {
	t.Helper()
	conn := testkit.Dial(t, g.addr)
	fmt.Fprintf(conn, "%s\r\n%sConnection: close\r\n\r\n", line, fields)
	resp := testkit.Must(http.ReadResponse(bufio.NewReader(conn), nil))(t)
	resp.Body.Close()
	return resp
}

func (g *guarded) last() http.Header {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.got[len(g.got)-1]
}

func local(a exchange.Authority, d exchange.Listener) bool {
	return exchange.IsLocal(a.Host) && d.AcceptsPort(a)
}

func TestC01_ReboundNamesAreRefused(t *testing.T) {
	g := serve(t, gate.Rules{Host: local, Names: "use localhost"}, testkit.Listen(t))
	_, port, _ := net.SplitHostPort(g.addr)
	for host, want := range map[string]int{
		"localhost": 204, "localhost:" + port: 204, "127.0.0.1:" + port: 204, "[::1]:" + port: 204, "LOCALHOST.": 204,
		"evil.example.com": 421, "evil.example.com:" + port: 421, "localhost:1": 421, "localhost.evil.com:" + port: 421, "127.0.0.1.nip.io": 421, "0.0.0.0": 421, "": 421,
	} {
		resp := g.send(t, "GET / HTTP/1.1", "Host: "+host+"\r\n")
		if resp.StatusCode != want || (want == 421) != (resp.Header.Get(problem.Header) == "unknown_host") {
			t.Errorf("%q: %s", host, resp.Status)
		}
	}
	if resp := g.send(t, "GET / HTTP/1.0", ""); resp.StatusCode != 421 {
		t.Errorf("no host: %s", resp.Status)
	}
	for _, fields := range []string{"Host: localhost\r\nHost: localhost\r\n", "Host: localhost\r\n evil.com\r\n", ""} {
		if resp := g.send(t, "GET / HTTP/1.1", fields); resp.StatusCode != 400 {
			t.Errorf("%q: %s", fields, resp.Status)
		}
	}
}

func TestC11_ForwardRequestsToOtherHostsAreRefused(t *testing.T) {
	g := serve(t, gate.Rules{Host: local, Names: "use localhost"}, testkit.Listen(t))
	for line, want := range map[string]int{
		"GET http://localhost/ HTTP/1.1": 204, "GET http://evil.com/ HTTP/1.1": 403, "CONNECT evil.com:443 HTTP/1.1": 403,
		"GET http://169.254.169.254/ HTTP/1.1": 403, "GET http://[fe80::1]/ HTTP/1.1": 403,
	} {
		resp := g.send(t, line, "Host: localhost\r\n")
		if resp.StatusCode != want || (want == 403) != (resp.Header.Get(problem.Header) == "not_allowed") {
			t.Errorf("%s: %s", line, resp.Status)
		}
	}
}

// Those who have not shown that they may be here keep no connection, even where their one
// request may pass.
func TestConnectionsOfUnknownClientsAreClosed(t *testing.T) {
	rules := gate.Rules{Host: local, KeySum: gate.KeySum("key"), Users: &peer.Users{UIDs: []int{1}}, Public: func(_ *exchange.Conn, h *exchange.Head) bool { return h.Path == "/livez" }}
	open := rules
	open.KeySum = nil
	for _, c := range []struct {
		rules     gate.Rules
		uid       int
		path, key string
		want      int
		closes    bool
	}{
		{open, 1, "/", "", 204, false}, {open, 2, "/", "", 403, true}, {open, 2, "/livez", "", 204, true}, {open, 1, "/livez", "", 204, false},
		{rules, 1, "/", "", 407, true}, {rules, 1, "/", "key", 204, false}, {rules, 2, "/", "key", 204, false}, {rules, 2, "/", "wrong", 403, true},
		{rules, 2, "/livez", "", 407, true},
	} {
		r := httptest.NewRequest("GET", c.path, nil)
		r.Host = "localhost"
		r.Header.Set(gate.KeyHeader, c.key)
		ctx := context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{Port: 80}))
		answer := httptest.NewRecorder()
		Guard(c.rules, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })).
			ServeHTTP(answer, r.WithContext(WithConn(ctx, &exchange.Conn{Peer: peer.Peer{Transport: peer.Loopback, UID: c.uid, Known: true}}, nil)))
		if closes := answer.Header().Get("Connection") == "close"; answer.Code != c.want || closes != c.closes {
			t.Errorf("%d %s %q: %d, closes: %v", c.uid, c.path, c.key, answer.Code, closes)
		}
	}
}

func TestC02_PagesAreRefused(t *testing.T) {
	g := serve(t, gate.Rules{Host: local}, testkit.Listen(t))
	for fields, want := range map[string]int{
		"":                                204,
		"Sec-Fetch-Site: none\r\n":        204,
		"Sec-Fetch-Site: same-origin\r\n": 204,
		"Origin: https://evil.com\r\n":    403, "Origin: null\r\n": 403, "Origin:\r\n": 403, "oRIGIN: http://localhost\r\n": 403,
		"Sec-Fetch-Site: cross-site\r\n": 403, "Sec-Fetch-Site: same-site\r\n": 403, "Sec-Fetch-Site:\r\n": 403,
		"Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n": 403, "Sec-Fetch-Site: none, cross-site\r\n": 403,
	} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			resp := g.send(t, method+" / HTTP/1.1", "Host: localhost\r\n"+fields)
			if resp.StatusCode != want || (want == 403) != (resp.Header.Get(problem.Header) == "origin_forbidden") {
				t.Errorf("%s %q: %s", method, fields, resp.Status)
			}
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s was sent", name)
				}
			}
		}
	}
	if n := len(g.told); n != 27 {
		t.Errorf("%d refusals were told", n)
	}
	open := serve(t, gate.Rules{Host: local, Browser: func(_ *exchange.Conn, h *exchange.Head) bool { return h.Path == "/open" }}, testkit.Listen(t))
	if a, b := open.send(t, "GET /open HTTP/1.1", "Host: localhost\r\nOrigin: x\r\n"), open.send(t, "GET / HTTP/1.1", "Host: localhost\r\nOrigin: x\r\n"); a.StatusCode != 204 || b.StatusCode != 403 {
		t.Error(a.Status, b.Status)
	}
}

// Programs may send an Origin that was let in. A page of that origin is known by its
// browser, and one of another cannot send it.
func TestC02_AnAllowedOriginIsForProgramsAlone(t *testing.T) {
	const own = "http://localhost:9744"
	g := serve(t, gate.Rules{Host: local, Origin: func(a exchange.Authority, _ exchange.Listener, origin string) bool {
		return a.Host == "localhost" && origin == own
	}}, testkit.Listen(t))
	for fields, want := range map[string]int{
		"": 204,
		"Origin: " + own + "\r\nUser-Agent: Python/3.13 websockets/15\r\n":                       204,
		"Origin: " + own + "\r\nHost: 127.0.0.1\r\n":                                             403, // another route
		"Origin: " + own + "/\r\n":                                                               403,
		"Origin: HTTP://localhost:9744\r\n":                                                      403,
		"Origin: http://localhost\r\n":                                                           403,
		"Origin: null\r\n":                                                                       403,
		"Origin:\r\n":                                                                            403,
		"Origin: https://evil.com\r\n":                                                           403,
		"Origin: " + own + "\r\nOrigin: " + own + "\r\n":                                         403,
		"Origin: " + own + ", https://evil.com\r\n":                                              403,
		"Origin: " + own + "\r\nSec-Fetch-Site: cross-site\r\n":                                  403,
		"Origin: " + own + "\r\nSec-Fetch-Site: same-origin\r\n":                                 403,
		"Origin: " + own + "\r\nSec-Fetch-Site: none\r\n":                                        403,
		"Origin: " + own + "\r\nsec-fetch-mode: websocket\r\n":                                   403,
		"Origin: " + own + "\r\nSec-CH-UA: \"Chromium\"\r\n":                                     403,
		"Origin: " + own + "\r\nAccess-Control-Request-Method: PUT\r\n":                          403,
		"Origin: " + own + "\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0\r\n":    403,
		"Origin: " + own + "\r\nUser-Agent: x\r\nUser-Agent: Mozilla/5.0 (Macintosh) Safari\r\n": 403,
	} {
		if !strings.Contains(fields, "Host:") {
			fields += "Host: localhost\r\n"
		}
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			resp := g.send(t, method+" / HTTP/1.1", fields)
			if resp.StatusCode != want || (want == 403) != (resp.Header.Get(problem.Header) == "origin_forbidden") {
				t.Errorf("%s %q: %s, want %d", method, fields, resp.Status, want)
			}
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s was sent", name)
				}
			}
		}
	}
	g.told = nil
	g.send(t, "GET / HTTP/1.1", "Host: localhost\r\nOrigin: http://localhost:1\r\n")
	g.send(t, "GET / HTTP/1.1", "Host: localhost\r\nOrigin: http://localhost:1\r\nSec-Fetch-Site: cross-site\r\n")
	if p := g.told[0]; !strings.Contains(p.Hint, "allow_origin") || !strings.Contains(p.Detail, `"http://localhost:1"`) {
		t.Errorf("%+v", p)
	}
	if p := g.told[1]; strings.Contains(p.Hint, "allow_origin") {
		t.Errorf("a page is helped: %+v", p)
	}
}

func TestHTTP10WithoutAHostIsForProbes(t *testing.T) {
	probe := func(h *exchange.Head) bool { return h.Path == "/livez" }
	g := serve(t, gate.Rules{Host: local, Hostless: probe}, testkit.Listen(t))
	for _, c := range []struct {
		line, fields string
		status       int
	}{
		{"GET /livez HTTP/1.0", "", 204},
		{"GET /livez HTTP/1.0", "Origin: http://localhost\r\n", 403},
		{"GET /livez HTTP/1.0", "Host: evil.com\r\n", 421},
		{"GET http://evil.com/livez HTTP/1.0", "", 403},
		{"GET / HTTP/1.0", "", 421},
		{"GET /livez HTTP/1.1", "", 400},
		{"GET /livez HTTP/1.1", "Host:\r\n", 421},
	} {
		if resp := g.send(t, c.line, c.fields); resp.StatusCode != c.status {
			t.Errorf("%s, %q: %s, want %d", c.line, c.fields, resp.Status, c.status)
		}
	}
}

// The hint names what was understood of the Host, and names of this machine alone: a
// page's name must not be recommended.
func TestRefusalsSayWhereForwardedPortsAreNamed(t *testing.T) {
	g := serve(t, gate.Rules{Host: local, Names: "use localhost", HostsHint: "hosts of x"}, testkit.Listen(t))
	for host, want := range map[string]string{
		"LOCALHOST.:8080": `add "localhost:8080" to hosts of x`, "[::1]:8080": `add "[::1]:8080" to`, "avs.localhost:8080": `add "avs.localhost:8080" to`,
		"evil.com:8080": "", "localhost.evil.com:8080": "", "localhost:8080\"": "", "localhost:\x1b[31m": "", "avs.localhost": "",
	} {
		g.told = nil
		resp := g.send(t, "GET / HTTP/1.1", "Host: "+host+"\r\n")
		if resp.StatusCode == 400 { // not even net/http takes it
			continue
		}
		if p := g.told[0]; !strings.Contains(p.Hint, want) || want == "" && p.Hint != "use localhost" {
			t.Errorf("%q: %s", host, p.Hint)
		}
	}
}

func TestC16_TraceIsRefused(t *testing.T) {
	g := serve(t, gate.Rules{Host: local}, testkit.Listen(t))
	// Some servers take methods in any case; CONNECT in another one would be a way round.
	for _, method := range []string{"TRACE", "trace", "Trace", "connect", "Connect"} {
		if resp := g.send(t, method+" / HTTP/1.1", "Host: localhost\r\n"); resp.StatusCode != 403 || len(g.got) > 0 {
			t.Error(method, resp.Status)
		}
	}
	for _, method := range []string{"TRACER", "get", "connected"} {
		if resp := g.send(t, method+" / HTTP/1.1", "Host: localhost\r\n"); resp.StatusCode != 204 {
			t.Error(method, resp.Status)
		}
	}
}

func TestZeroRulesLetNothingIn(t *testing.T) {
	if resp := serve(t, gate.Rules{}, testkit.Listen(t)).send(t, "GET / HTTP/1.1", "Host: localhost\r\n"); resp.StatusCode != 421 {
		t.Error(resp.Status)
	}
}

func TestUnixSocketsIgnoreThePort(t *testing.T) {
	ln := testkit.Must(net.Listen("unix", filepath.Join(t.TempDir(), "s")))(t)
	g := serve(t, gate.Rules{Host: local}, ln)
	for host, want := range map[string]int{"localhost": 204, "localhost:12345": 204, "evil.com": 421} {
		if resp := g.send(t, "GET / HTTP/1.1", "Host: "+host+"\r\n"); resp.StatusCode != want {
			t.Errorf("%s: %s", host, resp.Status)
		}
	}
}

func TestC04_ClientKeyInItsFourPlaces(t *testing.T) {
	const key = "correct horse: battery"
	basic := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	g := serve(t, gate.Rules{Host: local, KeySum: gate.KeySum(key)}, testkit.Listen(t))
	for _, good := range []string{
		"Avsproxy-Key: " + key,
		"avsproxy-key: wrong\r\nAVSPROXY-KEY: " + key,
		"Proxy-Authorization: Bearer " + key,
		"Proxy-Authorization: bearer  " + key,
		"Proxy-Authorization: Basic " + basic("anybody:"+key),
		"Proxy-Authorization: Basic " + basic(":"+key),
		"Authorization: Bearer " + key,
		"Authorization: Basic other\r\nAuthorization: Bearer " + key,
		"Avsproxy-Key: " + key + "\r\nAuthorization: Bearer other\r\nProxy-Authorization: Bearer " + key,
	} {
		resp := g.send(t, "GET / HTTP/1.1", "Host: localhost\r\n"+good+"\r\n")
		if resp.StatusCode != 204 {
			t.Errorf("%q: %s", good, resp.Status)
			continue
		}
		if all := fmt.Sprint(g.last()); strings.Contains(all, "horse") || strings.Contains(all, "Avsproxy") || strings.Contains(all, basic(":" + key)[4:]) {
			t.Errorf("%q goes on as %s", good, all)
		}
		if strings.Contains(good, "other") != (len(g.last()["Authorization"]) == 1) {
			t.Errorf("%q goes on as %s", good, g.last())
		}
	}
	for _, bad := range []string{
		"", "Avsproxy-Key: \r\n", "Avsproxy-Key: " + key + "x\r\n", "Avsproxy-Key: Bearer " + key + "\r\n", "Avsproxy_Key: " + key + "\r\n",
		"Proxy-Authorization: " + key + "\r\n", "Proxy-Authorization: Basic " + basic(key) + "\r\n", "Proxy-Authorization: Basic " + basic(key+":x") + "\r\n", "Proxy-Authorization: Basic !!\r\n",
		"Authorization: " + key + "\r\n", "Cookie: " + key + "\r\n",
	} {
		resp := g.send(t, "GET /?key="+strings.ReplaceAll(key, " ", "+")+" HTTP/1.1", "Host: localhost\r\n"+bad)
		if resp.StatusCode != 407 || resp.Header.Get("Proxy-Authenticate") == "" || resp.Header.Get(problem.Header) != "client_key_required" {
			t.Errorf("%q: %s", bad, resp.Status)
		}
	}
	// A host that is not served is refused before anybody is asked for a key.
	if resp := g.send(t, "GET / HTTP/1.1", "Host: evil.com\r\nAvsproxy-Key: "+key+"\r\n"); resp.StatusCode != 421 {
		t.Error(resp.Status)
	}
}

func TestKeyHeaderNeverGoesOn(t *testing.T) {
	g := serve(t, gate.Rules{Host: local}, testkit.Listen(t)) // no key is asked for
	g.send(t, "GET / HTTP/1.1", "Host: localhost\r\nAvsproxy-Key: x\r\nAuthorization: Bearer mine\r\n")
	if h := g.last(); h[gate.KeyHeader] != nil || h.Get("Authorization") != "Bearer mine" {
		t.Error(h)
	}
}

func TestHostsAreQuotedAndClipped(t *testing.T) {
	g := serve(t, gate.Rules{Host: local}, testkit.Listen(t))
	g.send(t, "GET / HTTP/1.1", "Host: "+strings.Repeat("a", 5000)+"\r\n")
	if n := len(g.told[0].Detail); n > 400 {
		t.Errorf("%d bytes", n)
	}
}

// A stranger learns nothing from the other refusals. A peer that nobody looked up
// is a stranger.
func TestC04_StrangersAreRefusedFirst(t *testing.T) {
	g := serve(t, gate.Rules{
		Host: local, KeySum: gate.KeySum("the key"), Users: &peer.Users{}, UsersHint: "see allow_users",
		Public: func(_ *exchange.Conn, h *exchange.Head) bool { return h.Path == "/open" },
	}, testkit.Listen(t))
	for _, c := range []struct{ line, fields, code string }{
		{"GET / HTTP/1.1", "", "user_forbidden"},
		{"GET / HTTP/1.1", "Host: evil.example.com\r\n", "user_forbidden"},
		{"CONNECT evil.example.com:443 HTTP/1.1", "", "user_forbidden"},
		{"GET / HTTP/1.1", "Origin: http://localhost\r\n", "user_forbidden"},
		{"TRACE / HTTP/1.1", "", "user_forbidden"},
		{"GET / HTTP/1.1", "Avsproxy-Key: wrong\r\n", "user_forbidden"},
		{"GET /open HTTP/1.1", "", "client_key_required"},
		{"GET / HTTP/1.1", "Avsproxy-Key: the key\r\n", ""},
		{"GET / HTTP/1.1", "Avsproxy-Key: the key\r\nOrigin: http://localhost\r\n", "origin_forbidden"},
		{"GET / HTTP/1.1", "Host: evil.example.com\r\nAvsproxy-Key: the key\r\n", "unknown_host"},
	} {
		fields := c.fields
		if !strings.Contains(fields, "Host:") {
			fields = "Host: localhost\r\n" + fields
		}
		if got := g.send(t, c.line, fields).Header.Get(problem.Header); got != c.code {
			t.Errorf("%s, %q: %q, want %q", c.line, c.fields, got, c.code)
		}
	}
}
