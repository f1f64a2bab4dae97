package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/capture"
	"avsproxy/internal/testkit"
)

// TestRenewedTokenIsMaskedAtOnce: one request has the token renewed, and the
// upstream repeats the new one at once in the answer to another, which is under way for
// long. Nothing is told of that request between the two.
func TestRenewedTokenIsMaskedAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		testkit.NoError(t, os.WriteFile(file, []byte(token), 0o600))
	}
	write("c4n4ry-token-the-first")
	streaming, said, end := make(chan struct{}), make(chan struct{}), make(chan struct{})
	told := make(chan string)
	upstream := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/stream":
			w.WriteHeader(http.StatusOK)
			http.NewResponseController(w).Flush()
			close(streaming)
			fmt.Fprintln(w, <-told)
			http.NewResponseController(w).Flush()
			<-end
		case strings.HasSuffix(r.Header.Get("Authorization"), "first"):
			write("c4n4ry-token-the-second")
			w.WriteHeader(http.StatusUnauthorized)
		default:
			told <- r.Header.Get("Authorization")
			<-said // so that the end of this answer tells nobody of the new token
		}
	}), testkit.HTTP1)
	proxy := startProxy(t, strings.Replace(firstByteConfig(t, upstream), "grant = \"static\"\ntoken = \"a-token\"", fmt.Sprintf("grant = \"command\"\ncommand = [\"cat\", %q]", file), 1))
	resp := testkit.Must(http.Get(proxy.Proxy[0] + "/stream"))(t)
	defer resp.Body.Close()
	<-streaming
	events := testkit.Must(http.Get(proxy.Console + "/api/events?follow=1"))(t)
	defer events.Body.Close()
	healed := make(chan int)
	go func() { healed <- get(t, proxy.Proxy[0]+"/other") }()
	line := make([]byte, len("Bearer c4n4ry-token-the-second\n"))
	if _, err := io.ReadFull(resp.Body, line); err != nil || !strings.Contains(string(line), "second") {
		t.Errorf("the client got %q, %v", line, err)
	}
	body := followed(t, events.Body)
	close(said)
	close(end)
	if status := <-healed; status != 200 {
		t.Errorf("the other request got %d", status)
	}
	if testkit.HasCanary(body) || !strings.Contains(body, "***") {
		t.Errorf("the record has %q", body)
	}
}

// followed is the first piece of a body that the console tells of.
func followed(t *testing.T, events io.Reader) string {
	t.Helper()
	for lines := bufio.NewScanner(events); lines.Scan(); {
		data, isData := strings.CutPrefix(lines.Text(), "data: ")
		var chunk capture.Chunk
		if isData && json.Unmarshal([]byte(data), &chunk) == nil && len(chunk.Bytes) > 0 {
			return string(chunk.Bytes)
		}
	}
	t.Fatal("the events ended")
	return ""
}
