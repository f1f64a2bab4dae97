package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/app"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

// insisted is the name by which clients call the API that insist on its own: one
// that nobody resolves (RFC 2606).
const insisted = "alexa.example"

// serveBuilt runs "serve" of the built program and ends it with the test.
func serveBuilt(t *testing.T, config string) *runningProxy {
	t.Helper()
	dir := t.TempDir()
	testkit.NoError(t, os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o600))
	proxy := &runningProxy{State: filepath.Join(dir, ".local", "state", "avsproxy"), Stdout: testkit.NewBuffer(), Stderr: testkit.NewBuffer()}
	cmd := exec.Command(binary, "serve", "--json")
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "NO_COLOR=1"}
	cmd.Stdout, cmd.Stderr = proxy.Stdout, proxy.Stderr
	testkit.NoError(t, cmd.Start())
	proxy.pid = cmd.Process.Pid
	proxy.awaitAndEnd(t, cmd)
	return proxy
}

// awaitAndEnd waits until a "serve --json" is ready, and has it end with the test.
func (p *runningProxy) awaitAndEnd(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve: %v:\n%s", err, p.Stderr)
		}
	})
	select {
	case <-p.Stdout.Written:
	case <-time.After(30 * time.Second):
		t.Fatalf("serve did not get ready:\n%s", p.Stderr)
	}
	p.read(t)
}

// A doorway is a built program that serves on every door and is logged in, with
// what clients of it need.
type doorway struct {
	*runningProxy
	amazon     *sandbox.Sandbox
	port       string
	unix       string // the path of its socket
	root       string // the file of its authority's root
	configFile string
}

func openDoors(t *testing.T) *doorway {
	t.Helper()
	amazon := testkit.Must(sandbox.Start(sandbox.Options{}))(t)
	t.Cleanup(func() { amazon.Close() })
	dir := testkit.Must(os.MkdirTemp("", "doors"))(t) // short enough for a socket's path
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	proxy := serveBuilt(t, doorsConfig(t, amazon, socket))
	logIn(t, proxy, amazon)
	return &doorway{
		runningProxy: proxy, amazon: amazon, unix: socket, port: app.PortOf(proxy.Proxy[0]), root: filepath.Join(proxy.State, "ca.pem"),
		configFile: filepath.Join(proxy.State, "..", "..", "..", "config.toml"),
	}
}

// doorsConfig is amazonConfig with a unix socket besides, and with a name for the
// route that no local client has.
func doorsConfig(t *testing.T, amazon *sandbox.Sandbox, socket string) string {
	config := amazonConfig(t, amazon)
	config = strings.Replace(config, `listen = "localhost:0"`, `listen = ["localhost:0", "unix:`+socket+`"]`, 1)
	return strings.Replace(config, `preset = "avs"`, `preset = "avs"`+"\nhosts = [\""+insisted+"\"]", 1)
}
