package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
)

// recordOf waits until the exchange with the target is over.
func recordOf(t *testing.T, p *runningProxy, target string) (record capture.Record) {
	t.Helper()
	wanted := func(e capture.Summary) bool { return e.Target == target && e.State == "done" }
	list := listed(t, p, func(list api.Exchanges) bool { return slices.ContainsFunc(list.Exchanges, wanted) }).Exchanges
	id := list[slices.IndexFunc(list, wanted)].ID
	testkit.NoError(t, json.Unmarshal([]byte(fetch(t, fmt.Sprint(p.Console, "/api/exchanges/", id))), &record))
	return record
}

func TestRequestsOnEveryListenerAreRecorded(t *testing.T) {
	proxy, amazon := startBoth(t)
	logIn(t, proxy, amazon)
	door := proxy.Proxy[0]
	secure := strings.Replace(door, "http://127.0.0.1", "https://localhost", 1)
	for i, c := range []struct {
		args  []string
		proto string
		tls   bool
	}{
		{[]string{"--noproxy", "*", "--http1.1", door}, "HTTP/1.1", false},
		{[]string{"--noproxy", "*", "--http2-prior-knowledge", door}, "HTTP/2.0", false},
		{[]string{"--noproxy", "*", secure}, "HTTP/2.0", true},
		{[]string{"-p", "http://avs.localhost"}, "HTTP/1.1", false},
		{[]string{"https://avs.localhost"}, "HTTP/2.0", true},
	} {
		target := fmt.Sprint("/ping?", i)
		c.args[len(c.args)-1] += target
		if got := curlThrough(t, proxy, append(c.args, "-w", "%{http_code}")...); got != "204" {
			t.Fatalf("%v: %s", c.args, got)
		}
		r := recordOf(t, proxy, target)
		client := exchange.ConnInfo{Proto: c.proto, Conn: r.Client.Conn, TLS: c.tls, Address: door, Stream: r.Client.Stream}
		if r.Client != client || r.Client.Conn == 0 || (r.Client.Stream > 0) != (c.proto == "HTTP/2.0") {
			t.Errorf("%v: client %+v", c.args, r.Client)
		}
		if up := r.Upstream; up.Proto != "HTTP/2.0" || up.Conn != 1 || up.Stream == 0 || up.Address != amazon.AVS() || !up.TLS {
			t.Errorf("%v: upstream %+v", c.args, up)
		}
		if r.Token.Credential != "alexa" || r.Decision != "injected" || r.Token.Left == nil || r.Status != 204 || r.Tries != 1 {
			t.Errorf("%v: %+v", c.args, r)
		}
	}
}

// startTokenEcho serves an upstream that repeats the credential wherever it can.
func startTokenEcho(t *testing.T, token string) *runningProxy {
	upstream := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got := r.Header.Get("Authorization")
		if got != "Bearer "+token {
			http.Error(w, "no token", http.StatusTeapot)
			return
		}
		w.Header().Set("X-Echo", got)
		w.Header().Set("Link", "<"+got+">")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, `{"headers":{"Authorization":"`+got+`"}}`)
		http.NewResponseController(w).Flush()
		io.WriteString(w, got[:len(got)/2])
		http.NewResponseController(w).Flush()
		io.WriteString(w, got[len(got)/2:])
		w.Header().Set(http.TrailerPrefix+"X-Late", got)
	}))
	return startProxy(t, strings.Replace(firstByteConfig(t, upstream), `"a-token"`, `"`+token+`"`, 1))
}

func TestNoRecordHasTheTokenThatWasInjected(t *testing.T) {
	const token = "c4n4ry-0123456789-abcdefghijklmnop"
	proxy := startTokenEcho(t, token)
	if got := fetch(t, proxy.Proxy[0]+"/echo"); strings.Count(got, token) != 2 {
		t.Fatalf("the client got %s", got)
	}
	record := recordOf(t, proxy, "/echo")
	for _, path := range []string{"/api/exchanges", fmt.Sprint("/api/exchanges/", record.ID), fmt.Sprint("/api/exchanges/", record.ID, "/response/body"), "/har"} {
		said := fetch(t, proxy.Console+path)
		testkit.NoCanary(t, path, said)
		if path != "/api/exchanges" && !strings.Contains(said, "***") {
			t.Errorf("%s does not show that something is hidden:\n%s", path, said)
		}
	}
}

func TestReplaysHaveTheirRoutesToken(t *testing.T) {
	const token = "c4n4ry-0123456789-abcdefghijklmnop"
	proxy := startTokenEcho(t, token)
	resp := testkit.Must(http.Post(proxy.Proxy[0]+"/once?a=%7c", "text/plain", strings.NewReader("the body")))(t)
	resp.Body.Close()
	first := recordOf(t, proxy, "/once?a=%7c")
	resp = testkit.Must(http.Post(fmt.Sprint(proxy.Console, "/api/exchanges/", first.ID, "/replay"), "application/json", strings.NewReader(`{"target":"/again?a=%7c"}`)))(t)
	answer := testkit.Body(t, resp)
	second := recordOf(t, proxy, "/again?a=%7c")
	if want := fmt.Sprintf(`"id":%d`, second.ID); resp.StatusCode != http.StatusAccepted || !strings.Contains(strings.ReplaceAll(answer, " ", ""), want) {
		t.Errorf("%s: %s, want %s", resp.Status, answer, want)
	}
	if second.ReplayOf != first.ID || second.Status != 200 || second.RequestBytes != 8 || second.Decision != "injected" || second.Method != "POST" {
		t.Errorf("replayed as %+v", second)
	}
}
