package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/capture"
	"avsproxy/internal/testkit"
)

// echoed is a token with all that tokens may have in them (RFC 6750 section 2.1).
const echoed = "c4n4ry-Az09._~+/token=="

// echoes are answers, as they go over the wire, that repeat the token wherever an
// answer has a place. TOKEN stands for it as it came, QUERY as in a query.
var echoes = map[string]string{
	"reason":      "HTTP/1.1 200 TOKEN\r\nContent-Length: 2\r\n\r\nok",
	"value":       "HTTP/1.1 200 OK\r\nX-Echo: Bearer TOKEN, and more\r\nContent-Length: 2\r\n\r\nok",
	"type":        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; x=\"TOKEN\"\r\nContent-Length: 2\r\n\r\nok",
	"coding":      "HTTP/1.1 200 OK\r\nContent-Encoding: TOKEN\r\nContent-Length: 2\r\n\r\nok",
	"location":    "HTTP/1.1 302 Found\r\nLocation: https://x.example/?t=QUERY#TOKEN\r\nContent-Length: 0\r\n\r\n",
	"cookie":      "HTTP/1.1 200 OK\r\nSet-Cookie: a=TOKEN; Path=/TOKEN\r\nContent-Length: 2\r\n\r\nok",
	"challenge":   "HTTP/1.1 403 No\r\nWWW-Authenticate: Bearer realm=\"TOKEN\"\r\nContent-Length: 2\r\n\r\nok",
	"interim":     "HTTP/1.1 103 Early Hints\r\nLink: <TOKEN>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"trailer":     "HTTP/1.1 200 OK\r\nTrailer: X-Late\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Late: TOKEN\r\n\r\n",
	"body":        "HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\nTOKEN",
	"body, cut":   "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nTOKEN",
	"half, cut":   "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nc4n4ry-Az09._~",
	"bytewise":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + bytewiseChunks(echoed) + "0\r\n\r\n",
	"no HTTP":     "TOKEN\r\n\r\n",
	"bad status":  "HTTP/1.1 TOKEN\r\n\r\n",
	"bad header":  "HTTP/1.1 200 OK\r\nTOKEN\r\n\r\n",
	"bad chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nTOKEN\r\n",
	"our headers": "HTTP/1.1 200 OK\r\nAvsproxy-Error: TOKEN\r\nAvsproxy-Decision: TOKEN\r\nContent-Length: 2\r\n\r\nok",
	"their words": "HTTP/1.1 101 TOKEN\r\nUpgrade: TOKEN\r\nConnection: Upgrade\r\n\r\n",
}

func bytewiseChunks(text string) (chunks string) {
	for _, c := range []byte(text) {
		chunks += fmt.Sprintf("1\r\n%c\r\n", c)
	}
	return chunks
}

func TestTokenThatTheUpstreamRepeatsIsShownNowhere(t *testing.T) {
	proxy := startProxy(t, strings.Replace(firstByteConfig(t, rawUpstream(t)), `"a-token"`, `"`+echoed+`"`, 1))
	once := &http.Transport{DisableKeepAlives: true} // which tries nothing twice
	for name := range echoes {
		resp, err := once.RoundTrip(mustRequest(t, proxy.Proxy[0]+"/"+url.PathEscape(name)))
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body) // some of them are cut
			resp.Body.Close()
		}
	}
	list := allEnded(t, proxy, len(echoes))
	paths := []string{"/api/exchanges", "/har", "/metrics", "/status"}
	for _, s := range list.Exchanges {
		paths = append(paths, fmt.Sprint("/api/exchanges/", s.ID), fmt.Sprint("/api/exchanges/", s.ID, "/response/body"))
	}
	said := map[string]string{"the log": proxy.Stderr.String()}
	for _, path := range paths {
		said[path] = fetch(t, proxy.Console+path)
	}
	for path, text := range said {
		testkit.NoCanary(t, path, text)
	}
	if masked := strings.Count(said["/har"], "***"); masked < len(echoes)/2 {
		t.Errorf("%d masks in all: %s", masked, said["/har"])
	}
	if slices.ContainsFunc(list.Exchanges, func(s capture.Summary) bool { return s.Target == "/our%20headers" && s.Error != "" }) {
		t.Error("the upstream's word was taken for ours")
	}
}

func mustRequest(t *testing.T, target string) *http.Request {
	t.Helper()
	return testkit.Must(http.NewRequestWithContext(t.Context(), "GET", target, nil))(t)
}

// rawUpstream answers each request with the echo that its path names, and hangs up.
func rawUpstream(t *testing.T) *httptest.Server {
	t.Helper()
	server := testkit.TLSServer(t, http.NotFoundHandler()) // for its certificate
	ln := testkit.Must(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: server.TLS.Certificates, NextProtos: []string{"http/1.1"}}))(t)
	server.URL = "https://" + ln.Addr().String()
	testkit.ServeConns(t, ln, func(conn net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		answer := strings.NewReplacer("TOKEN", token, "QUERY", url.QueryEscape(token)).Replace(echoes[strings.TrimPrefix(req.URL.Path, "/")])
		_, _ = io.WriteString(conn, answer)
	})
	return server
}
