package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/app"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

// A forwarder stands for "ssh -L" and "docker -p": clients name its port, and not that
// of whoever it leads to.
type forwarder struct{ net.Listener }

func newForwarder(t *testing.T) *forwarder {
	t.Helper()
	return &forwarder{testkit.Listen(t)}
}

func (f *forwarder) port() string { return app.PortOf(f.Addr().String()) }

func (f *forwarder) leadTo(t *testing.T, address string) {
	testkit.ServeConns(t, f, func(conn net.Conn) {
		to, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer to.Close()
		go func() {
			io.Copy(to, conn)
			to.(*net.TCPConn).CloseWrite()
		}()
		io.Copy(conn, to)
	})
}

func TestForwardedPortsServeByTheNameThatClientsSay(t *testing.T) {
	amazon := startAmazon(t, sandbox.Options{})
	proxied, pages, unnamed := newForwarder(t), newForwarder(t), newForwarder(t)
	config := amazonConfig(t, amazon)
	config = strings.Replace(config, "[console]\n", fmt.Sprintf("[console]\nhosts = [\"localhost:%s\"]\n", pages.port()), 1)
	config = strings.Replace(config, `preset = "avs"`, fmt.Sprintf("preset = \"avs\"\nhosts = [\"localhost:%s\"]", proxied.port()), 1)
	proxy := serveBuilt(t, config)
	logIn(t, proxy, amazon)
	proxied.leadTo(t, strings.TrimPrefix(proxy.Proxy[0], "http://"))
	pages.leadTo(t, strings.TrimPrefix(proxy.Console, "http://"))
	unnamed.leadTo(t, strings.TrimPrefix(proxy.Proxy[0], "http://"))

	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ask := func(method, url string, origin ...string) (*http.Response, string) {
		r, _ := http.NewRequest(method, url, strings.NewReader("credential=alexa"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header["Origin"] = origin
		resp := testkit.Must(client.Do(r))(t)
		return resp, testkit.Body(t, resp)
	}
	if resp, body := ask("GET", "http://localhost:"+proxied.port()+"/ping"); resp.StatusCode != http.StatusNoContent {
		t.Errorf("the proxy: %s %s", resp.Status, body)
	}
	own := "http://localhost:" + pages.port()
	if resp, body := ask("GET", own+"/login"); resp.StatusCode != http.StatusOK {
		t.Errorf("the login page: %s %s", resp.Status, body)
	}
	if resp, body := ask("POST", own+"/login", own); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), amazon.LWA()) {
		t.Errorf("its button: %s %s", resp.Status, body)
	}
	if resp, _ := ask("POST", own+"/login", "http://localhost:"+proxied.port()); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another forwarded port: %s", resp.Status)
	}
	// Entries with a port match only so, and each is for what it was named for.
	for _, url := range []string{"http://localhost:" + unnamed.port() + "/ping", "http://127.0.0.1:" + proxied.port() + "/ping", "http://127.0.0.1:" + pages.port() + "/status"} {
		if resp, body := ask("GET", url); resp.StatusCode != 421 || !strings.Contains(body, "add \\\""+strings.Split(url, "/")[2]) {
			t.Errorf("%s: %s %s", url, resp.Status, body)
		}
	}
}

// Probes of load balancers may speak HTTP/1.0 without a Host. They learn of nothing else.
func TestProbesOfHTTP10(t *testing.T) {
	proxy, _ := startBoth(t)
	for path, want := range map[string]string{"/livez": " 200 ", "/readyz": " 503 ", "/status": " 421 ", "/login": " 421 ", "/metrics": " 421 "} {
		conn := testkit.Dial(t, strings.TrimPrefix(proxy.Console, "http://"))
		fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path)
		if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, want) {
			t.Errorf("%s: %q, %v", path, line, err)
		}
	}
}
