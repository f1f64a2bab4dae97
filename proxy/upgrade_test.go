package proxy

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/net/websocket"

	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
)

// sockets is an upstream with HTTP/2, whose /socket is a WebSocket that sends back
// what it gets, and which tells how requests arrived.
func sockets(t *testing.T) (origin string, roots *x509.CertPool, arrived <-chan *http.Request) {
	arrivals := make(chan *http.Request, 9)
	echo := websocket.Server{Handler: func(conn *websocket.Conn) { io.Copy(conn, conn) }}
	origin, roots = upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrivals <- r
		if r.URL.Path == "/socket" {
			echo.ServeHTTP(w, r)
		}
	}))
	return origin, roots, arrivals
}

// A plainClient leaves out the Origin that the library's client sends: those of
// programs have none.
type plainClient struct{ net.Conn }

// Write gets the handshake at once.
func (c plainClient) Write(p []byte) (int, error) {
	if head, rest, ok := bytes.Cut(p, []byte("Origin: http://localhost\r\n")); ok {
		_, err := c.Conn.Write(append(bytes.Clone(head), rest...))
		return len(p), err
	}
	return c.Conn.Write(p)
}

// open makes a WebSocket through the proxy.
func (l *line) open(t *testing.T) *websocket.Conn {
	t.Helper()
	conf := testkit.Must(websocket.NewConfig("ws://localhost/socket", "http://localhost"))(t)
	conf.Header.Set("Authorization", "Bearer forged")
	return testkit.Must(websocket.NewClient(conf, plainClient{testkit.Dial(t, l.addr)}))(t)
}

func echoed(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	testkit.Must(conn.Write([]byte(text)))(t)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
		t.Fatalf("%.20q came back: %v", got, err)
	}
}

func TestWebSocketsPassWithTheToken(t *testing.T) {
	origin, roots, arrived := sockets(t)
	l := build(t, origin, roots, plan{source: static(), policy: Policy{WebSocket: true}, options: upstream.Options{SingleConnection: true}})
	conn := l.open(t)
	echoed(t, conn, "hello")
	echoed(t, conn, strings.Repeat("long", 1<<16))
	if r := <-arrived; r.ProtoMajor != 1 || r.Header.Get("Authorization") != "Bearer "+canary || len(r.Header["Origin"]) != 0 {
		t.Errorf("%s %v", r.Proto, r.Header)
	}
	get(t, h1Client(t), l.url) // meanwhile all others have their one connection
	if r := <-arrived; r.ProtoMajor != 2 {
		t.Error(r.Proto)
	}
	l.ended(t, 1) // which is told behind the answer
	conn.Close()
	if e := l.ended(t, 2); e.Status != http.StatusSwitchingProtocols || e.Decision != exchange.Injected || e.Written < 1<<18 || e.Fault != nil {
		t.Errorf("%+v", e)
	}
}

func TestWebSocketsEndWithEitherSide(t *testing.T) {
	origin, roots, _ := sockets(t)
	l := build(t, origin, roots, plan{source: static(), policy: Policy{WebSocket: true}})
	byClient, byUpstream := l.open(t), l.open(t)
	echoed(t, byClient, "a")
	echoed(t, byUpstream, "b")
	byClient.Close()
	l.ended(t, 1)
	l.upstream.Close()
	if _, err := byUpstream.Read(make([]byte, 1)); err == nil {
		t.Error("it is still open")
	}
	l.ended(t, 2)
}

func TestC02_WebSocketsOfPagesAreRefused(t *testing.T) {
	origin, roots, arrived := sockets(t)
	l := build(t, origin, roots, plan{source: static(), policy: Policy{WebSocket: true}})
	for _, page := range []string{"Origin: https://evil.example.com", "Origin: http://localhost", "Origin: null", "Sec-Fetch-Site: cross-site"} {
		a := l.handshake(t, "GET", "Upgrade: websocket\r\nConnection: Upgrade\r\n"+page+"\r\n")
		problemOf(t, a, problem.OriginForbidden)
	}
	if len(arrived) != 0 {
		t.Error("one arrived")
	}
}

// handshake sends a request with further header lines.
func (l *line) handshake(t *testing.T, method, lines string) answer {
	t.Helper()
	conn := testkit.Dial(t, l.addr)
	fmt.Fprintf(conn, "%s /plain HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n", method, lines)
	resp := testkit.Must(http.ReadResponse(bufio.NewReader(conn), nil))(t)
	body := testkit.Must(io.ReadAll(resp.Body))(t)
	return answer{resp, body}
}

func TestC15_OnlyWebSocketsPassWhereTheyMay(t *testing.T) {
	origin, roots, arrived := sockets(t)
	l := build(t, origin, roots, plan{source: static(), policy: Policy{WebSocket: true}})
	for lines, passes := range map[string]bool{
		"GET Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n":                                         true,
		"GET Upgrade: WebSocket\r\nConnection: upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n": true,
		"GET Upgrade: websocket\r\n": false,
		"GET Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n": false,
		"GET Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n":                                          false,
		"GET Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n":                               false,
		"GET Upgrade: websocket/13\r\nConnection: Upgrade\r\n":                                            false,
		"POST Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n":                         false,
		"GET Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 1\r\n\r\nx":                     false,
		"GET Upgrade: tls/1.0\r\nConnection: Upgrade\r\n":                                                 false,
	} {
		method, lines, _ := strings.Cut(lines, " ")
		l.handshake(t, method, lines)
		r := <-arrived
		if got := r.Header.Get("Upgrade"); (got != "") != passes || r.Header["Http2-Settings"] != nil || passes != (r.ProtoMajor == 1) {
			t.Errorf("%q arrived as %s %v", lines, r.Proto, r.Header)
		}
	}
}

// switching is an upstream that changes the protocol to one of its choice.
func switching(protocol string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, out, _ := http.NewResponseController(w).Hijack()
		fmt.Fprintf(out, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\nraw bytes", protocol)
		out.Flush()
		io.Copy(io.Discard, conn)
		conn.Close()
	}
}

func TestC15_UpstreamsCannotSwitchUnasked(t *testing.T) {
	for protocol, asked := range map[string]bool{"websocket": false, "h2c": true, "": true} {
		origin, roots := upstreamTLS(t, switching(protocol), testkit.HTTP1)
		l := build(t, origin, roots, plan{source: static(), policy: Policy{WebSocket: true}})
		lines := ""
		if asked {
			lines = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		}
		a := l.handshake(t, "GET", lines)
		if p := problemOf(t, a, problem.UpstreamUnreachable); !strings.Contains(p.Detail, "switched") {
			t.Errorf("%q: %s", protocol, p.Detail)
		}
		if e := l.ended(t, 1); e.Status != http.StatusBadGateway || e.Fault == nil {
			t.Errorf("%+v", e)
		}
	}
}

// RFC 8441 lets CONNECT carry WebSockets over HTTP/2 where the server says so, which it does
// if a route may have them.
func TestC15_ExtendedConnectIsRefused(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{})
	conn := testkit.Dial(t, l.addr)
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.WriteSettings()
	var block bytes.Buffer
	fields := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "http"}, {":path", "/socket"}, {":authority", "localhost"}, {"sec-websocket-version", "13"}} {
		fields.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	for {
		frame := testkit.Must(framer.ReadFrame())(t)
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if value, there := frame.Value(http2.SettingEnableConnectProtocol); there && value != 0 {
				t.Error("it is offered")
			}
		case *http2.RSTStreamFrame:
			if frame.ErrCode != http2.ErrCodeProtocol || len(s.Ledger()) != 0 {
				t.Errorf("%v, %d arrived", frame, len(s.Ledger()))
			}
			return
		}
	}
}

func TestStrippedFieldsAreNotSent(t *testing.T) {
	type arrival struct{ header, trailer http.Header }
	arrived := make(chan arrival, 1)
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- arrival{r.Header, r.Trailer}
	}))
	l := build(t, origin, roots, plan{source: static(), policy: Policy{
		Strip: []string{"Cookie", "x-api-key", "Authorization", "X-Set"}, Headers: map[string]string{"X-Set": "ours"},
	}})
	over(t, func(t *testing.T, client *http.Client) {
		r := request(t, "POST", l.url, unsized{strings.NewReader("body")})
		r.Header = http.Header{"Cookie": {"a=b"}, "X-Api-Key": {"1", "2"}, "X_api_KEY": {"3"}, "X-Set": {"theirs"}, "X-Api-Keys": {"stays"}, "Authorization": {"Bearer own"}}
		r.Trailer = http.Header{"X-Api-Key": {"4"}, "X-Sum": {"stays"}}
		do(t, client, r)
		got := <-arrived
		for name, want := range map[string]string{"Cookie": "", "X-Api-Key": "", "X_api_key": "", "X-Set": "ours", "X-Api-Keys": "stays", "Authorization": "Bearer " + canary} {
			if got.header.Get(name) != want {
				t.Errorf("%s: %q", name, got.header[name])
			}
		}
		if got.trailer.Get("X-Sum") != "stays" || got.trailer.Get("X-Api-Key") != "" {
			t.Errorf("trailer %v", got.trailer)
		}
	})
}

// Whatever the spelling, nothing that a server may take for the credential stays
// beside ours, and nothing else is lost.
func FuzzC14_CredentialFields(f *testing.F) {
	for _, seed := range []string{"authorization", "AUTHORIZATION", "X_Amz_Access_Token", "Proxy_Authorization", "X-Amz-Access-Tokens", "Accept", "_"} {
		f.Add(seed, "value")
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		if !httpguts.ValidHeaderFieldName(name) {
			return
		}
		var sent http.Header
		inject := routeTo(
			fakeSender{&url.URL{Scheme: "https", Host: "h"}, func(r *http.Request) (*http.Response, error) { sent = r.Header; return nil, io.EOF }},
			Credential{Source: static(), Header: "x-amz-access-token", Format: "{token}"},
		)
		r, _ := http.NewRequest("GET", "https://h/", nil)
		r.Header[name] = []string{value, value}
		inject.RoundTrip(r)
		folded := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		credential := folded == "authorization" || folded == "proxy-authorization" || folded == "x-amz-access-token"
		if name != "X-Amz-Access-Token" && (len(sent[name]) == 0) != credential {
			t.Fatalf("%q: %q", name, sent[name])
		}
		if got := sent["X-Amz-Access-Token"]; len(got) != 1 || got[0] != canary || len(r.Header[name]) != 2 {
			t.Fatalf("%q: %q", name, got)
		}
	})
}

// openOver2 opens a WebSocket by RFC 8441, frame by frame.
func (l *line) openOver2(t *testing.T, path string) (*http2.Framer, *http2.MetaHeadersFrame) {
	t.Helper()
	conn := testkit.Dial(t, l.addr)
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.WriteSettings()
	var block bytes.Buffer
	fields := hpack.NewEncoder(&block)
	for _, f := range [][2]string{
		{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "http"}, {":authority", "localhost"}, {":path", path},
		{"sec-websocket-version", "13"}, {"authorization", "Bearer forged"},
	} {
		fields.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	for offered := false; ; {
		frame := testkit.Must(framer.ReadFrame())(t)
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if value, _ := f.Value(http2.SettingEnableConnectProtocol); value == 1 && !offered {
				offered = true
				framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
			}
		case *http2.MetaHeadersFrame:
			return framer, f
		}
	}
}

func TestWebSocketsPassOverHTTP2(t *testing.T) {
	origin, roots, arrived := sockets(t)
	l := build(t, origin, roots, plan{source: static(), policy: Policy{WebSocket: true}})
	framer, head := l.openOver2(t, "/socket?x=1")
	if head.PseudoValue("status") != "200" || head.StreamEnded() {
		t.Fatalf("%v", head)
	}
	for _, f := range head.RegularFields() {
		if f.Name == "connection" || f.Name == "upgrade" || f.Name == "sec-websocket-accept" {
			t.Errorf("%v", f)
		}
	}
	if r := <-arrived; r.Method != "GET" || r.URL.RawQuery != "x=1" || r.Header.Get("Authorization") != "Bearer "+canary || r.Header.Get("Sec-Websocket-Version") != "13" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
	framer.WriteData(1, false, []byte("\x81\x85\x00\x00\x00\x00hello")) // a text, masked with zeros
	var got []byte
	for len(got) < 7 {
		if f, ok := testkit.Must(framer.ReadFrame())(t).(*http2.DataFrame); ok {
			got = append(got, f.Data()...)
		}
	}
	if string(got) != "\x81\x05hello" {
		t.Errorf("%q", got)
	}
	framer.WriteData(1, true, nil)
	for {
		if frame := testkit.Must(framer.ReadFrame())(t); frame.Header().StreamID == 1 {
			if f, ok := frame.(*http2.RSTStreamFrame); ok && f.ErrCode != http2.ErrCodeNo {
				t.Errorf("it ends with %v", f.ErrCode)
			}
			break
		}
	}
	if e := l.ended(t, 1); e.Status != 101 || e.Path != "/socket" {
		t.Errorf("%+v", e)
	}
}

// An answer that is no WebSocket must not look like one.
func TestARouteWithoutWebSocketsOpensNoneOverHTTP2(t *testing.T) {
	origin, roots, _ := sockets(t)
	l := build(t, origin, roots, plan{source: static(), policy: Policy{WebSocket: true}})
	l.route.WebSocket = false // as that of another route
	if _, head := l.openOver2(t, "/plain"); head.PseudoValue("status") != "501" {
		t.Errorf("%v", head)
	}
}
