package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/cli"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/terminal"
	"avsproxy/internal/testkit"
)

// A servedAt is the line of "serve --json".
type servedAt struct {
	Proxy   []string
	Console string
}

// A runningProxy is the program serving in this process, or in one of its own.
type runningProxy struct {
	servedAt
	Home           string // has config.toml
	State          string
	pid            int // of its own process
	Stdout, Stderr *testkit.Buffer
}

// newHome returns a folder with the configuration.
func newHome(t testing.TB, config string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	testkit.NoError(t, os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o600))
	return dir
}

func newRunningProxy(home string) *runningProxy {
	return &runningProxy{Home: home, State: filepath.Join(home, ".local", "state", "avsproxy"), Stdout: testkit.NewBuffer(), Stderr: testkit.NewBuffer()}
}

// startProxy runs "serve" with the configuration and ends it with the test.
func startProxy(t testing.TB, config string) *runningProxy {
	t.Helper()
	dir := newHome(t, config)
	env := map[string]string{"HOME": dir, "AVSPROXY_CONFIG": filepath.Join(dir, "config.toml"), "NO_COLOR": "1"}
	proxy := newRunningProxy(dir)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, []string{"serve", "--json"}, func(name string) string { return env[name] }, http.NoBody, proxy.Stdout, proxy.Stderr)
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != terminal.ExitDone {
			t.Errorf("serve ended with %d:\n%s", code, proxy.Stderr)
		}
	})
	select {
	case <-proxy.Stdout.Written:
	case code := <-ended:
		ended <- code
		t.Fatalf("serve ended with %d:\n%s", code, proxy.Stderr)
	case <-time.After(testkit.Timeout):
		t.Fatal("serve did not get ready")
	}
	proxy.read(t)
	return proxy
}

// serveBuilt runs "serve" of the built program, with variables of ours.
func serveBuilt(t *testing.T, config string, env ...string) *runningProxy {
	t.Helper()
	return startCommand(t, config, exec.Command(binary, "serve", "--json"), env...)
}

// startWithFiles runs it with a limit on the files that it may open.
func startWithFiles(t *testing.T, files int, config string) *runningProxy {
	t.Helper()
	testkit.NeedTool(t, "sh")
	return startCommand(t, config, exec.Command("sh", "-c", fmt.Sprintf("ulimit -n %d; exec %s serve --json", files, binary)))
}

func startCommand(t *testing.T, config string, cmd *exec.Cmd, env ...string) *runningProxy {
	t.Helper()
	dir := newHome(t, config)
	proxy := newRunningProxy(dir)
	cmd.Dir, cmd.Env = dir, append([]string{"HOME=" + dir, "NO_COLOR=1", "PATH=" + os.Getenv("PATH")}, env...)
	cmd.Stdout, cmd.Stderr = proxy.Stdout, proxy.Stderr
	testkit.NoError(t, cmd.Start())
	proxy.awaitAndEnd(t, cmd)
	return proxy
}

// awaitAndEnd waits until a "serve --json" is ready, and has it end with the test.
func (p *runningProxy) awaitAndEnd(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	p.pid = cmd.Process.Pid
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve: %v:\n%s", err, p.Stderr)
		}
	})
	select {
	case <-p.Stdout.Written:
	case <-time.After(testkit.Timeout):
		t.Fatalf("serve did not get ready:\n%s", p.Stderr)
	}
	p.read(t)
}

// read takes the line that tells where the program listens.
func (p *runningProxy) read(t testing.TB) {
	t.Helper()
	testkit.NoError(t, json.Unmarshal(p.Stdout.Bytes(), &p.servedAt))
}

func startAmazon(t *testing.T, options sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	amazon := testkit.Must(sandbox.Start(options))(t)
	t.Cleanup(func() { amazon.Close() })
	return amazon
}

// startBoth runs a sandbox and a proxy that takes it for the real Amazon.
func startBoth(t *testing.T) (*runningProxy, *sandbox.Sandbox) {
	t.Helper()
	amazon := startAmazon(t, sandbox.Options{})
	return startProxy(t, amazonConfig(t, amazon)), amazon
}

// amazonConfig is a configuration for which amazon is the real Amazon.
func amazonConfig(t *testing.T, amazon *sandbox.Sandbox) string {
	t.Helper()
	roots := testkit.File(t, "amazon.pem", amazon.RootPEM())
	return fmt.Sprintf(`
[proxy]
listen = "localhost:0"
[console]
listen = "localhost:0"
[[route]]
name = "avs"
preset = "avs"
upstream = %q
credential = "alexa"
ca_file = %q
[credential.alexa]
provider = "amazon"
auth_url = %q
token_url = %q
client_id = %q
client_secret = %q
redirect_url = "https://localhost:0/authresponse"
product_id = "test_device"
device_serial_number = "1"
`, amazon.AVS(), roots, amazon.LWA()+"/ap/oa", amazon.LWA()+"/auth/o2/token", sandbox.ClientID, sandbox.ClientSecret)
}

func get(t *testing.T, url string) int {
	t.Helper()
	resp := testkit.Must(http.Get(url))(t)
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// startEvilPage serves a page of another origin.
func startEvilPage(t *testing.T) string {
	server := testkit.Server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>evil</title>")
	}))
	return server.URL
}
