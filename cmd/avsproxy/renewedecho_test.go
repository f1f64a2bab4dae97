package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestATokenIsHiddenFromItsFirstSecond: one request has the token renewed, and the
// upstream repeats the new one at once in the answer to another, which is under way for
// long. Nothing is told of that request between the two.
func TestATokenIsHiddenFromItsFirstSecond(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("canary-token-the-first")
	streaming, said, end := make(chan struct{}), make(chan struct{}), make(chan struct{})
	told := make(chan string)
	upstream := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/stream":
			w.WriteHeader(http.StatusOK)
			http.NewResponseController(w).Flush()
			close(streaming)
			fmt.Fprintln(w, <-told)
			http.NewResponseController(w).Flush()
			<-end
		case strings.HasSuffix(r.Header.Get("Authorization"), "first"):
			write("canary-token-the-second")
			w.WriteHeader(http.StatusUnauthorized)
		default:
			told <- r.Header.Get("Authorization")
			<-said // so that the end of this answer tells nobody of the new token
		}
	}))
	t.Cleanup(upstream.Close)
	proxy := startProxy(t, strings.Replace(firstByteConfig(t, upstream), "grant = \"static\"\ntoken = \"a-token\"", fmt.Sprintf("grant = \"command\"\ncommand = [\"cat\", %q]", file), 1))
	resp, err := http.Get(proxy.Proxy[0] + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-streaming
	healed := make(chan int)
	go func() { healed <- get(t, proxy.Proxy[0]+"/other") }()
	line := make([]byte, len("Bearer canary-token-the-second\n"))
	if _, err := io.ReadFull(resp.Body, line); err != nil || !strings.Contains(string(line), "second") {
		t.Errorf("the client got %q, %v", line, err)
	}
	body := keptOf(t, proxy, 1)
	close(said)
	close(end)
	if status := <-healed; status != 200 {
		t.Errorf("the other request got %d", status)
	}
	if strings.Contains(body, "canary") || !strings.Contains(body, "***") {
		t.Errorf("the record has %q", body)
	}
}

// keptOf waits for bytes of an answer that is under way.
func keptOf(t *testing.T, proxy *runningProxy, id int) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if body := fetch(t, fmt.Sprint(proxy.Console, "/api/exchanges/", id, "/response/body")); body != "" {
			return body
		}
	}
	t.Fatal("nothing of the body was kept")
	return ""
}
