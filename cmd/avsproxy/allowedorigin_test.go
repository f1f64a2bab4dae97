package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/app"
	"avsproxy/internal/testkit"

	"github.com/chromedp/chromedp"
	"golang.org/x/net/websocket"
)

// programSocket opens a WebSocket as libraries do that send an Origin, like this one.
func programSocket(t *testing.T, address, host string) (*websocket.Conn, error) {
	t.Helper()
	conf := testkit.Must(websocket.NewConfig("ws://"+host+":"+app.PortOf(address)+"/", "http://"+host+":9744"))(t)
	return websocket.NewClient(conf, testkit.Dial(t, address))
}

func TestProgramsMayHaveAnOrigin(t *testing.T) {
	route := echoUpstream(t)
	second := strings.Replace(route[strings.Index(route, "[[route]]"):], `"api"`, `"strict"`, 1)
	proxy := serveBuilt(t, route+"allow_origin = [\"http://localhost:9744\"]\n"+second)
	address := strings.TrimPrefix(proxy.Proxy[0], "http://")
	socket := testkit.Must(programSocket(t, address, "localhost"))(t)
	testkit.Must(io.WriteString(socket, "hello"))(t)
	if n, err := socket.Read(make([]byte, 99)); err != nil || n != len("hello") {
		t.Errorf("%d, %v", n, err)
	}
	for _, host := range []string{"api.localhost", "strict.localhost"} { // their Origin is another
		if _, err := programSocket(t, address, host); err == nil {
			t.Errorf("%s: a WebSocket", host)
		}
	}
}

// The page has the very origin that was let in, which its browser sends.
func TestPagesOfAnAllowedOriginAreKeptOut(t *testing.T) {
	testkit.Heavy(t)
	testkit.NeedTool(t, "chromium")
	page := testkit.Server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>allowed</title>")
	}))
	origin := "http://localhost:" + app.PortOf(page.Listener.Addr().String())
	proxy := serveBuilt(t, echoUpstream(t)+"allow_origin = [\""+origin+"\"]\n")
	port := app.PortOf(proxy.Proxy[0])

	ctx := browserContext(t)
	testkit.NoError(t, chromedp.Do(ctx, chromedp.Navigate(origin)))
	outcome := ask(t, ctx, chromedp.Evaluate[string](`(async () => {
		const tell = async (url, options) => {
			try { return (await fetch(url, options)).status } catch (e) { return "blocked" }
		};
		const socket = await new Promise(resolve => {
			const ws = new WebSocket("ws://localhost:`+port+`/");
			ws.onopen = () => resolve("open");
			ws.onerror = () => resolve("refused");
		});
		return [await tell("http://localhost:`+port+`/"), await tell("http://localhost:`+port+`/", {mode: "no-cors", method: "POST", body: "x"}), socket].join(" ");
	})()`, chromedp.EvalAwaitPromise))
	if outcome != "blocked 0 refused" {
		t.Errorf("the page got %q", outcome)
	}
	exchanges := fetch(t, proxy.Console+"/api/exchanges")
	if n := strings.Count(exchanges, `origin_forbidden`); n < 3 {
		t.Errorf("%d refusals: %s", n, exchanges)
	}
}
