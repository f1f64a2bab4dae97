package frames

import (
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// run runs a tool and returns its output.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	testkit.NeedTool(t, name)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func copyBody(w http.ResponseWriter, r *http.Request) {
	io.Copy(w, r.Body)
	io.WriteString(w, "that was all")
}

func TestCurl(t *testing.T) {
	url := serveHTTP(t, copyBody)
	out := run(t, "curl", "-sSk", "--http2", "-w", " %{http_version} %{http_code}", "-d", "some text, ", url, "--next", "-sSk", url)
	if out != "some text, that was all 2 200that was all" {
		t.Errorf("%q", out)
	}
}

// A client that knows beforehand needs no TLS.
func TestCurlInClearText(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan bool)
	go func() {
		defer close(served)
		if nc, err := l.Accept(); err == nil {
			(&Server{Handler: HTTP(http.HandlerFunc(copyBody))}).ServeConn(t.Context(), nc)
		}
	}()
	if out := run(t, "curl", "-sS", "--http2-prior-knowledge", "http://"+l.Addr().String()); out != "that was all" {
		t.Errorf("%q", out)
	}
	<-served
}

func TestNghttp(t *testing.T) {
	out := run(t, "nghttp", "-v", "-d", "/dev/stdin", serveHTTP(t, copyBody))
	if strings.Contains(out, "[ERROR]") || strings.Contains(out, "PROTOCOL_ERROR") || !strings.Contains(out, ":status: 200") || !strings.Contains(out, "that was all") {
		t.Error(out)
	}
}

func TestH2load(t *testing.T) {
	out := run(t, "h2load", "-n2000", "-c3", "-m40", serveHTTP(t, copyBody))
	if !strings.Contains(out, "2000 succeeded, 0 failed, 0 errored") {
		t.Error(out)
	}
}
