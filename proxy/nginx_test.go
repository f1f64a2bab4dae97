package proxy

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
)

// nginx runs one that answers everything with "served", with settings of its own for the
// server. It returns its address.
func nginx(t *testing.T, settings string) (origin string, roots *x509.CertPool) {
	t.Helper()
	path := testkit.NeedTool(t, "nginx")
	dir := t.TempDir()
	authority, leaf := certified(t, "localhost")
	key := testkit.Must(x509.MarshalPKCS8PrivateKey(leaf.PrivateKey))(t)
	_, port, _ := net.SplitHostPort(testkit.ClosedPort(t))
	config := fmt.Sprintf(`
daemon off; pid nginx.pid; error_log stderr error; worker_processes 1;
events { worker_connections 1024; }
http {
	access_log off; client_body_temp_path body; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
	server { listen 127.0.0.1:%s ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem; %s location / { return 200 "served"; } }
}`, port, settings)
	for name, text := range map[string]string{
		"nginx.conf": config,
		"cert.pem":   string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]})),
		"key.pem":    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
	} {
		testkit.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "-e", "stderr", "-p", dir, "-c", "nginx.conf")
	said := &strings.Builder{}
	cmd.Stderr = said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	testkit.NoError(t, cmd.Start())
	t.Cleanup(func() { stop(); cmd.Wait(); t.Log("nginx:", said) })
	testkit.Eventually(t, "nginx", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return "https://localhost:" + port, authority.Pool()
}

// An nginx that ends each connection after five requests leaves most of many requests at
// once unprocessed, again and again.
func TestNginxThatEndsConnectionsAfterFewRequestsServesAll(t *testing.T) {
	t.Parallel()
	const parallel, each = 64, 50
	for _, single := range []bool{true, false} {
		origin, roots := nginx(t, "keepalive_requests 5;")
		l := build(t, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: single}})
		ctx, end := context.WithCancel(t.Context())
		var kept sync.WaitGroup
		kept.Go(func() { l.upstream.Keep(ctx) })
		client := h2cClient(t)
		var failed atomic.Int64
		together(t, parallel, func(i int) {
			for range each {
				method, body := "GET", io.Reader(nil)
				if i%2 == 0 {
					method, body = "POST", strings.NewReader("a body")
				}
				resp, err := client.Do(request(t, method, l.url, body))
				if err != nil {
					t.Error(err)
					return
				}
				text, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK && failed.Add(1) < 5 {
					t.Errorf("single %t: %s %s %s", single, method, resp.Status, text)
				}
			}
		})
		if n := failed.Load(); n > 0 {
			t.Errorf("single %t: %d of %d requests failed", single, n, parallel*each)
		}
		end()
		kept.Wait()
	}
}
